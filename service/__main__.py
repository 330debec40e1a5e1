"""`python -m service`: the control plane's process."""

import os
import sys

import uvicorn

from outpost.errors import OutpostError
from service import log
from service.app import application, build
from service.loops import Loops
from service.settings import from_environment

# Within the stop timeout of the task definition (60 s): requests first, then the loops' last poll.
GRACE_SECONDS = 20


def main() -> int:
    """Serve until SIGTERM; 1 with one line on stderr when the settings are not complete."""
    try:
        settings = from_environment(os.environ)
    except OutpostError as error:
        print(f"outpost control plane: {error}", file=sys.stderr)  # noqa: T201 - before logging is set up
        return 1
    log.configure(settings.log_level)
    services = build(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            application(services, Loops(services)),
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_config=None,
            server_header=False,
            # Longer than the load balancer's idle timeout (60 s): it must never meet a closed connection.
            timeout_keep_alive=settings.keep_alive_seconds,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )
    log.info("control plane starts", event="start", stack=settings.stack, port=settings.port)
    server.run()
    log.info("control plane stopped", event="stop")
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
