"""`python -m service`: the control plane's process."""

import gc
import os
import sys

# Until all is loaded there is no garbage to find, and looking for it takes a sixth of the start (measured:
# 0.78 s of CPU for the imports, 0.66 without). `main` switches it on again.
gc.disable()

from botocore.exceptions import BotoCoreError

from outpost.errors import OutpostError
from service import log
from service.app import application, build
from service.aws.access import AccessChecks
from service.aws.clients import Clients
from service.loops import Loops
from service.server import Server
from service.settings import RUNBOOK, from_environment


def main() -> int:
    """Serve until SIGTERM; 1 with one line on stderr when settings are missing or access is refused."""
    try:
        settings = from_environment(os.environ)
    except OutpostError as error:
        print(f"outpost control plane: {error}", file=sys.stderr)  # noqa: T201 - before logging is set up
        return 1
    log.configure(settings.log_level)
    try:
        clients = Clients(settings.region)
        services = build(settings, clients)
        checks = AccessChecks(settings, clients)
        server = Server(application(services, Loops(services)), settings, services.stopping)
        checks.finish()
    except BotoCoreError as error:
        print(f"outpost control plane: no AWS credentials: {error} (runbook {RUNBOOK}).", file=sys.stderr)  # noqa: T201
        return 1
    except OutpostError as error:
        print(f"outpost control plane: {error}", file=sys.stderr)  # noqa: T201 - for whoever started it
        return 1
    gc.collect()
    gc.freeze()  # what is loaded now stays: it need not be looked through again and again
    gc.enable()
    log.info("control plane starts", event="start", stack=settings.stack, port=settings.port)
    server.run()  # ends by the signal that stopped it, as 143, once everything is handed back
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
