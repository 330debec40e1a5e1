"""The page about the local region says what the engine's tables say."""

from local import documents
from local.engine.limits import NOT_ACTED_ON, NOT_DESCRIBED


def test_the_page_is_current() -> None:
    assert documents.write(check=True) == []


def test_every_limit_is_told() -> None:
    page = documents.page()
    for token in (*NOT_DESCRIBED, *NOT_ACTED_ON):
        assert f"`{token}`" in page
