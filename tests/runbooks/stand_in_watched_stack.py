"""`diagnose --watch` of a stack that is healthy until the file named by the first argument exists."""

import sys
from pathlib import Path
from unittest import mock

from runbooks import command
from runbooks.tasks import _print, _say
from tests.runbooks.world import FILES, World


def as_it_is_now(_: object) -> World:
    world = World()
    if Path(sys.argv[1]).exists():
        world.groups[FILES]["IpPermissions"] = []
    return world


with (
    mock.patch("runbooks.aws.AwsReader", side_effect=as_it_is_now),
    mock.patch.object(command, "WATCH", 0.05),
):
    sys.exit(command.run(command.Options(watch=True, format="json"), out=_print, say=_say))
