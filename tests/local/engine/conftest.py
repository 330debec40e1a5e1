"""Small programs for the engine, each in a project of its own."""

import shutil
import textwrap
from pathlib import Path

import pytest

from local.engine import Deployment, deploy
from local.testing import LocalRegion


class SmallProject:
    """A Pulumi project whose program a test rewrites between deployments."""

    def __init__(self, root: Path, region: LocalRegion) -> None:
        self.root = root
        self.region = region
        self.state_path = root / "stack.json"
        (root / "Pulumi.yaml").write_text("name: small\nruntime: python\nmain: program\n")
        (root / "Pulumi.test.yaml").write_text("config:\n  aws:region: us-east-1\n  small:size: 3\n")
        (root / "program").mkdir()

    def deploy(self, program: str, **settings: object) -> Deployment:
        """Write the program (after the usual imports) and deploy it."""
        imports = "import json, pulumi, pulumi_aws as aws\n"
        (self.root / "program" / "__main__.py").write_text(imports + textwrap.dedent(program))
        # Python tells a changed file by its size and its second, which two programs of a test may share.
        shutil.rmtree(self.root / "program" / "__pycache__", ignore_errors=True)
        return deploy(
            "test",
            self.region.session,
            self.state_path,
            endpoint_url=self.region.aws_url,
            root=self.root,
            settings=settings,
        )


@pytest.fixture
def project(tmp_path: Path, empty_region: LocalRegion) -> SmallProject:
    return SmallProject(tmp_path, empty_region)
