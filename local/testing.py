"""A local region for tests: started, used through boto3 and HTTP, taken down."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from local import up
from local.state import Paths, RegionInfo, environment
from outpost.names import REGION

T = TypeVar("T")
POLL = 0.03


class LocalRegion:
    """A region in a process of its own. Use it as a context manager."""

    def __init__(self, paths: Paths, info: RegionInfo, hold: int) -> None:
        """`hold` is the descriptor that keeps the region up: it ends with this process, however that ends."""
        self.paths = paths
        self.info = info
        self._hold = hold
        self._clients: dict[str, Any] = {}

    @classmethod
    def start(cls, state_dir: Path, *, stack: str = "dev", deploy: bool = True) -> "LocalRegion":
        """Start a region; with `deploy`, return when its load balancer answers healthy."""
        paths = Paths(Path(state_dir))
        theirs, ours = os.pipe()
        try:
            return cls(paths, up.start(paths, stack=stack, deploy=deploy, owner=theirs), ours)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)

    def __enter__(self) -> "LocalRegion":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the region down; once is enough, twice does no harm."""
        up.stop(self.paths)
        if self._hold >= 0:
            os.close(self._hold)
            self._hold = -1

    @property
    def aws_url(self) -> str:
        return self.info.aws_url

    @property
    def api_url(self) -> str:
        return self.info.api_url

    @property
    def api_key(self) -> str:
        return self.info.api_key

    @property
    def stack(self) -> str:
        return self.info.stack

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, pointed at the region: for subprocesses."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OUTPOST_"))}
        return {**kept, **environment(self.paths, self.info), "OUTPOST_STATE_DIR": str(self.paths.directory)}

    @property
    def session(self) -> boto3.Session:
        """The operator's session. Its clients need `endpoint_url`; `client` gives it."""
        keys = _operator_keys(self.paths)
        return boto3.Session(keys[0], keys[1], region_name=REGION)

    def client(self, service: str) -> Any:
        """The operator's client of a service, kept."""
        if service not in self._clients:
            config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
            self._clients[service] = self.session.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.aws_url,
                config=config,
            )
        return self._clients[service]

    def fault(self, action: str, **arguments: Any) -> Any:
        """One of the region's controls, by name; see `local.control.Control`."""
        return up.control(self.info, action, **arguments)

    def check(self) -> None:
        """Raise `RuntimeError` with the end of the daemon's log if the region has ended by itself."""
        if up.running(self.paths) is None:
            raise RuntimeError(f"the local region has ended; its log:\n{up.log_tail(self.paths)}")

    def tasks(self) -> list[dict[str, Any]]:
        """Tasks that have not stopped, with their processes."""
        return list(self.fault("tasks"))

    def wait_for(self, look: Callable[[], T], timeout: float = 60.0, what: str = "") -> T:
        """The first truthy answer of `look`. Raises `TimeoutError` with the last answer."""
        deadline = time.monotonic() + timeout
        while True:
            answer = look()
            if answer:
                return answer
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{what or 'the condition'} did not come true in {timeout} s; last: {answer!r}\n"
                    f"{up.log_tail(self.paths)}"
                )
            time.sleep(POLL)


Region = LocalRegion


def _operator_keys(paths: Paths) -> tuple[str, str]:
    import configparser

    parser = configparser.ConfigParser()
    parser.read(paths.credentials)
    section = parser["default"]
    return section["aws_access_key_id"], section["aws_secret_access_key"]
