"""Every optional part at once, in a region: it deploys, a second run changes nothing, and it goes again."""

from pathlib import Path

import pytest

from local.engine import deploy, destroy
from local.testing import LocalRegion

pytestmark = pytest.mark.region


def test_prod_with_every_setting_deploys_repeats_and_goes(tmp_path: Path) -> None:
    with LocalRegion.start(tmp_path / "region", deploy=False) as region:
        zone = region.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")
        certificate = region.client("acm").request_certificate(DomainName="api.example.com")
        settings: dict[str, object] = {
            "outpost:domainName": "api.example.com",
            "outpost:certificateArn": certificate["CertificateArn"],
            "outpost:hostedZoneId": zone["HostedZone"]["Id"].rpartition("/")[2],
            "outpost:tableCapacity": "provisioned",
            "outpost:persistentTenants": ["acme", "umbrella"],
            "outpost:warmPool": "claude=2,aider=1",
            "outpost:alarmEmail": "oncall@example.com",
            "outpost:githubRepository": "example/outpost",
            "outpost:deletionProtection": False,
        }
        state = tmp_path / "stack.json"

        def run() -> list[str]:
            deployment = deploy("prod", region.session, state, endpoint_url=region.aws_url, settings=settings)
            changes = deployment.changes
            return [*changes.created, *changes.updated, *changes.replaced, *changes.deleted]

        made = run()
        assert len(made) > 200
        assert run() == []
        gone = destroy("prod", region.session, state, endpoint_url=region.aws_url)
        assert set(made) <= set(gone.deleted)
