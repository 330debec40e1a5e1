"""The region's files: where it is, who it is, and whether it lives."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from outpost.names import PROFILE, REGION

DIRECTORY = ".outpost"
VARIABLE = "OUTPOST_STATE_DIR"
SECOND = 1.0


@dataclass(frozen=True)
class Paths:
    """The files under the state directory."""

    directory: Path

    @classmethod
    def from_environment(cls, root: Path) -> "Paths":
        """`OUTPOST_STATE_DIR`, or `.outpost` in the repository."""
        return cls(Path(os.environ.get(VARIABLE) or root / DIRECTORY).resolve())

    @property
    def region(self) -> Path:
        return self.directory / "region.json"

    @property
    def process(self) -> Path:
        return self.directory / "daemon.json"

    @property
    def log(self) -> Path:
        return self.directory / "daemon.log"

    @property
    def config(self) -> Path:
        return self.directory / "aws" / "config"

    @property
    def credentials(self) -> Path:
        return self.directory / "aws" / "credentials"

    def write_private(self, path: Path, text: str) -> None:
        """Write a file that only its owner can read, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        temporary.replace(path)


@dataclass(frozen=True, kw_only=True)
class RegionInfo:
    """What `region.json` says: where the region is and how to get in."""

    pid: int
    stack: str
    aws_url: str
    api_url: str
    api_key: str
    control_token: str
    started_at: str
    loopback: int  # R of 127.R.0.0/16
    outputs: dict[str, Any]

    def save(self, paths: Paths) -> None:
        document = {_camel(name): value for name, value in asdict(self).items()}
        paths.write_private(paths.region, json.dumps(document, indent=2) + "\n")


def load(paths: Paths) -> RegionInfo | None:
    """The region of a state directory; None when there is none, or its file is broken."""
    try:
        document = json.loads(paths.region.read_text())
        return RegionInfo(**{name: document[_camel(name)] for name in RegionInfo.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


@dataclass(frozen=True)
class Identity:
    """A process that is not taken for another with the same id: the start time tells them apart."""

    pid: int
    started: float

    @classmethod
    def current(cls) -> "Identity":
        return cls(os.getpid(), psutil.Process().create_time())

    @classmethod
    def load(cls, path: Path) -> "Identity | None":
        try:
            document = json.loads(path.read_text())
            return cls(int(document["pid"]), float(document["started"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(json.dumps(asdict(self)))

    def process(self) -> psutil.Process | None:
        """The process, if it still runs."""
        try:
            process = psutil.Process(self.pid)
            alive = (
                abs(process.create_time() - self.started) < SECOND
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.Error:
            return None
        return process if alive else None


def write_aws_files(paths: Paths, aws_url: str, access_key: str, secret_key: str) -> None:
    """AWS's own configuration files: profiles `default` and the guide's, both at the embedded AWS."""
    settings = f"region = {REGION}\nendpoint_url = {aws_url}\noutput = json\ncli_pager =\n"
    keys = f"aws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n"
    # S3 by path: no name of a bucket resolves to this machine. Files and the digest are as on AWS.
    settings += "s3 =\n    addressing_style = path\n"
    paths.write_private(paths.config, f"[default]\n{settings}\n[profile {PROFILE}]\n{settings}")
    paths.write_private(paths.credentials, f"[default]\n{keys}\n[{PROFILE}]\n{keys}")


def environment(paths: Paths, info: RegionInfo) -> dict[str, str]:
    """The variables that point the AWS CLI, curl and every task at the region."""
    return {
        "AWS_CONFIG_FILE": str(paths.config),
        "AWS_SHARED_CREDENTIALS_FILE": str(paths.credentials),
        "AWS_PROFILE": PROFILE,
        "OUTPOST_API_URL": info.api_url,
        "OUTPOST_API_KEY": info.api_key,
    }
