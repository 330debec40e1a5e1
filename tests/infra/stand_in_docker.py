"""Stands in for docker: records how it is called, and fails where DOCKER_FAILS is among the arguments."""

import json
import os
import sys
from pathlib import Path

given = sys.stdin.read() if "--password-stdin" in sys.argv else ""
with Path(os.environ["STAND_IN_LOG"]).open("a") as log:
    log.write(json.dumps({"program": "docker", "arguments": sys.argv[1:], "stdin": given}) + "\n")
if os.environ.get("DOCKER_FAILS", "\0") in " ".join(sys.argv[1:]):
    sys.exit("stand-in: no")
