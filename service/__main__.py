"""`python -m service`: the control plane's process."""

import os
import sys

from botocore.exceptions import BotoCoreError

from outpost.errors import OutpostError
from service import log
from service.app import application, build
from service.loops import Loops
from service.server import Server
from service.settings import RUNBOOK, from_environment


def main() -> int:
    """Serve until SIGTERM; 1 with one line on stderr when the settings are not complete."""
    try:
        settings = from_environment(os.environ)
    except OutpostError as error:
        print(f"outpost control plane: {error}", file=sys.stderr)  # noqa: T201 - before logging is set up
        return 1
    log.configure(settings.log_level)
    try:
        services = build(settings)
    except BotoCoreError as error:
        print(f"outpost control plane: no AWS credentials: {error} (runbook {RUNBOOK}).", file=sys.stderr)  # noqa: T201
        return 1
    server = Server(application(services, Loops(services)), settings, services.stopping)
    log.info("control plane starts", event="start", stack=settings.stack, port=settings.port)
    server.run()  # ends by the signal that stopped it, as 143, once everything is handed back
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
