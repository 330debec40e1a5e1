"""The fault matrix is whole: every cause has its fault, in one part."""

from runbooks.catalogue import causes
from tests.runbooks.faults import matrix


def test_every_cause_is_in_one_part() -> None:
    tested = [key for part in matrix.PARTS for key in matrix.keys(part)]
    assert sorted(tested) == sorted(cause.key for cause in causes())
    assert len(tested) == 59
