"""Times as the API and the tables write them: ISO 8601 in UTC with milliseconds; epoch seconds inside."""

from datetime import UTC, datetime

DAY = 86_400
# RFC 3339, as the OpenAPI document shows it.
MOMENT = (
    r"^[12]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
    r"(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$"
)


def iso(epoch: float) -> str:
    """`2026-01-14T09:30:00.000Z` for epoch seconds."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> float:
    """Epoch seconds of an ISO 8601 time; a time without a zone is UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def day(epoch: float) -> str:
    """The UTC day, `2026-01-14`: the period of daily limits."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d")


def seconds_to_next_day(epoch: float) -> int:
    """Until the daily counters start anew; at least 1."""
    return max(1, int(DAY - epoch % DAY))
