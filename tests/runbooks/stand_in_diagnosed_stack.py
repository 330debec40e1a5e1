"""`diagnose` of a healthy stack that is described to it, with the progress of a terminal."""

import os
import sys
from unittest import mock

from runbooks import command
from runbooks.tasks import _print, _progress, _say
from tests.runbooks.world import World

os.environ.pop("OUTPOST_API_KEY", None)
with mock.patch("runbooks.aws.AwsReader", return_value=World()):
    sys.exit(command.run(command.Options(), out=_print, say=_say, progress=_progress))
