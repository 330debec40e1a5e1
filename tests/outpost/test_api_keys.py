"""What a tenant id may be."""

import pytest

from outpost.api_keys import TENANT_FORM


@pytest.mark.parametrize("tenant", ["acme", "a", "_1-b", "x" * 64])
def test_tenant_ids(tenant: str) -> None:
    assert TENANT_FORM.fullmatch(tenant)


@pytest.mark.parametrize("tenant", ["", "x" * 65, "--help", "-h", "a/b", "#input", "a b", "ä"])
def test_what_is_no_tenant_id(tenant: str) -> None:
    assert not TENANT_FORM.fullmatch(tenant)
