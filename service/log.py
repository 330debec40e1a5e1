"""Structured logs and metrics: one JSON object a line on stdout, which awslogs takes to CloudWatch.

Metrics go the same way, in CloudWatch's embedded metric format, so that counting costs no AWS call.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

NAMESPACE = "Outpost"
_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))
_logger = logging.getLogger("outpost")
_metrics = logging.getLogger("outpost.metrics")

# API keys, worker tokens, provider keys, git tokens, AWS keys, bearer headers: never in a log.
_SECRETS = re.compile(
    r"otp_[0-9a-f]{16,}|sk-[A-Za-z0-9_-]{16,}|xai-[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{30,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=-]{16,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)


def redact(text: str) -> str:
    """The text with anything that looks like a credential replaced."""
    return _SECRETS.sub("[redacted]", text)


def bind(**fields: str) -> None:
    """Add fields to every line that this request or thread logs from here on."""
    _context.set({**_context.get(), **fields})


def clear(**fields: str) -> None:
    """Start anew with only these fields."""
    _context.set(fields)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            **_context.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        text = json.dumps(line, default=str, ensure_ascii=False).encode(errors="replace").decode()
        return redact(text)


def configure(level: str) -> None:
    """Log to stdout from `level` on. The libraries' own loggers speak from WARNING on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Json())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _logger.setLevel(level.upper())
    plain = logging.StreamHandler(sys.stdout)
    plain.setFormatter(logging.Formatter("%(message)s"))
    _metrics.handlers = [plain]
    _metrics.propagate = False
    _metrics.setLevel(logging.INFO)


def silence_metrics() -> None:
    """No metric lines: for simulations."""
    _metrics.setLevel(logging.WARNING)


def debug(message: str, **fields: object) -> None:
    _logger.debug(message, extra={"fields": fields})


def info(message: str, **fields: object) -> None:
    _logger.info(message, extra={"fields": fields})


def warning(message: str, **fields: object) -> None:
    _logger.warning(message, extra={"fields": fields})


def exception(message: str, **fields: object) -> None:
    """An unexpected error, with the traceback of the exception being handled."""
    _logger.error(message, extra={"fields": fields}, exc_info=True)


def metric(name: str, value: float = 1, unit: str = "Count", **dimensions: str) -> None:
    """Count or measure something; `unit` is CloudWatch's (Count, Seconds, Milliseconds)."""
    line = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [sorted(dimensions)],
                    "Metrics": [{"Name": name, "Unit": unit}],
                }
            ],
        },
        name: value,
        **dimensions,
    }
    _metrics.info(json.dumps(line))
