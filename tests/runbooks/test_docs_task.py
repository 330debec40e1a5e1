"""`./inv docs` writes the table of faults too, and `--check` tells when it is stale."""

import pytest
from invoke import Context, Exit

from tests.runbooks.faults import table


def test_the_docs_task_tells_when_the_table_of_faults_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    import tasks  # of the repository's root

    monkeypatch.setattr(table, "PATH", table.ROOT / "docs" / "not-written-yet.md")
    with pytest.raises(Exit) as caught:
        tasks.docs(Context(), check=True)
    assert caught.value.code == 1
    assert not table.PATH.exists()
