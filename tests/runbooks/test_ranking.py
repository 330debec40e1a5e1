"""Ranking: the root first, what follows from it under it, and a warning never hides a failure."""

from runbooks.catalogue import causes
from runbooks.model import Evidence, Judgement, fail, ok, unknown, warn
from runbooks.ranking import Judged, rank

EVIDENCE = Evidence("ecs:DescribeServices", "service", "bad", "good")
BY_KEY = {cause.key: cause for cause in causes()}


def _ranked(**judgements: Judgement) -> list[tuple[str, tuple[str, ...]]]:
    """Codes and what they explain, given judgements by code (with _ for -), all others OK."""
    wanted = {code.replace("_", "-"): judgement for code, judgement in judgements.items()}
    judged = [Judged(cause, wanted.get(cause.code, ok("fine"))) for cause in causes()]
    found = rank(judged)
    assert [finding.rank for finding in found] == list(range(1, len(found) + 1))
    return [(finding.cause.code, finding.explains) for finding in found]


def test_nothing_lit_is_nothing_found() -> None:
    assert _ranked() == []


def test_failures_before_warnings_before_unknowns() -> None:
    found = _ranked(
        missing_environment=unknown("blind"),
        wrong_header=fail("a", EVIDENCE),
        nfs_blocked=warn("b", EVIDENCE),
    )
    assert [code for code, _ in found] == ["wrong-header", "nfs-blocked", "missing-environment"]


def test_whom_it_hurts_decides_among_failures() -> None:
    found = _ranked(cold_connections=fail("a", EVIDENCE), port_mismatch=fail("b", EVIDENCE))
    assert [code for code, _ in found] == ["port-mismatch", "cold-connections"]


def test_what_was_seen_goes_before_what_was_inferred() -> None:
    found = _ranked(task_too_complex=warn("a", EVIDENCE, direct=False), no_progress_loop=warn("b", EVIDENCE))
    assert [code for code, _ in found] == ["no-progress-loop", "task-too-complex"]


def test_effects_are_folded_also_through_one_another() -> None:
    found = _ranked(
        control_plane_undersized=fail("a", EVIDENCE),
        out_of_memory=fail("b", EVIDENCE),
        memory_exhausted=fail("c", EVIDENCE),
    )
    assert [code for code, _ in found] == ["control-plane-undersized"]
    assert set(found[0][1]) == {"out-of-memory", "memory-exhausted"}


def test_a_warning_does_not_explain_a_failure_away() -> None:
    found = _ranked(autoscaling_off=warn("a", EVIDENCE), dynamodb_throttled=fail("b", EVIDENCE))
    assert [code for code, _ in found] == ["dynamodb-throttled", "autoscaling-off"]


def test_an_unknown_cause_explains_nothing() -> None:
    found = _ranked(missing_environment=unknown("blind"), application_error=fail("b", EVIDENCE))
    assert [code for code, _ in found] == ["application-error", "missing-environment"]


def test_declared_relations_have_no_cycles() -> None:
    def below(key: str, seen: frozenset[str]) -> None:
        assert key not in seen, f"{key} explains itself"
        for effect in BY_KEY[key].explains:
            below(effect, seen | {key})

    for key in BY_KEY:
        below(key, frozenset())
