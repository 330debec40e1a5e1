"""`python -m local.engine up|destroy --stack NAME`: the engine as a process of its own.

AWS is where the environment says (`AWS_ENDPOINT_URL`, credentials); the state is kept in
`OUTPOST_STATE_DIR` (`.outpost` when unset). The stack's exports go to stdout as JSON.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import boto3

from local.engine.deployment import deploy, destroy
from local.engine.reconcile import Changes
from outpost.errors import OutpostError
from outpost.names import REGION

STATE_FILE = "stack.json"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(arguments: list[str]) -> int:
    """Exit code 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m local.engine", description=__doc__)
    parser.add_argument("action", choices=("up", "destroy"))
    parser.add_argument("--stack", default="dev")
    parser.add_argument(
        "--setting", action="append", default=[], metavar="KEY=VALUE", help="laid over the stack's own"
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("outpost.local.engine").setLevel(logging.INFO)
    host = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname
    if host not in LOOPBACK:
        sys.stderr.write(f"AWS_ENDPOINT_URL ({host}): the engine works on a local region only.\n")
        return 1
    session = boto3.Session(region_name=os.environ.get("AWS_REGION", REGION))
    path = Path(os.environ.get("OUTPOST_STATE_DIR", ".outpost")) / STATE_FILE
    if wrong := [setting for setting in given.setting if "=" not in setting]:
        parser.error(f"a setting is KEY=VALUE: {wrong[0]}")
    settings: dict[str, object] = dict(setting.split("=", 1) for setting in given.setting)
    try:
        if given.action == "up":
            deployment = deploy(given.stack, session, path, settings=settings)
            _tell(deployment.changes)
            json.dump(deployment.exports, sys.stdout)
        else:
            _tell(destroy(given.stack, session, path))
    except OutpostError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _tell(changes: Changes) -> None:
    """What was done, on stderr: each resource that was there before and is not as it was, and the counts."""
    done = {"updated": changes.updated, "replaced": changes.replaced, "deleted": changes.deleted}
    for what, urns in done.items():
        for urn in urns:
            sys.stderr.write(f"{what:<9} {urn.split('::', 2)[2]}\n")
    counts = {"created": changes.created, **done, "unchanged": changes.unchanged}
    sys.stderr.write(", ".join(f"{len(urns)} {what}" for what, urns in counts.items()) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
