"""What one person may undo alone, and how a second one agrees."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.cases.state import Decision
from clawback.cases.timing import CaseTiming
from clawback.cases.undo_judgement import (
    UndoAgreement,
    UndoAssessment,
    UndoHold,
    UndoLimits,
    assess_undo,
    describe_cases,
    merge_holds,
)
from clawback.cases.undo_plan import UndoPlan
from clawback.model.messages import Target
from tests.people import person

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LIMITS = UndoLimits(changes=5, cases=3)
VERDICTS = ("NONE", "SPAM", "SUSPICIOUS", "MALICIOUS", "MALICIOUS-BEC", None)


def plan_of(case: str, *messages: str) -> UndoPlan:
    """The undo plan of a case that moved some messages."""
    targets = tuple(Target(id=id_, at=NOW) for id_ in messages)
    uid = f"{case}/run-{case.replace('/', '-')}"
    return UndoPlan(case=case, uid=uid, rule="r", messages=targets)


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=4, unique=True), max_size=5),
    st.lists(st.sampled_from(VERDICTS), min_size=10, max_size=10),
    st.integers(0, 2),
    st.booleans(),
)
def test_whoever_returns_malicious_unknown_or_much_is_not_alone(
    cases: list[list[int]],
    verdicts: list[str | None],
    unread: int,
    is_part: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """Each of these is a reason, and nothing else is; without limits there is none."""
    plans = [plan_of(f"case/r/{n}", *map(str, ids)) for n, ids in enumerate(cases)]
    present = {str(n): verdict for n, verdict in enumerate(verdicts) if verdict is not None}
    returned = {one for ids in cases for one in ids}
    malicious = {one for one in returned if (verdicts[one] or "").startswith("MALICIOUS")}
    expected = [
        bool(malicious),
        any(verdicts[one] is None for one in returned),
        unread > 0,
        is_part or sum(map(len, cases)) > 5 or len(cases) + unread > 3,
    ]

    found = assess_undo(plans, present, LIMITS, unread=unread, is_part=is_part)
    assert len(found.reasons) == sum(expected)
    assert set(found.malicious) == {str(one) for one in malicious}
    assert sum(found.verdicts.values()) == found.messages == len(returned)
    assert not assess_undo(plans, present, None, unread=unread, is_part=is_part).reasons


def test_parts_of_a_campaign_are_one_case() -> None:
    """Many parts are no reason; many messages are, also those whose histories were not read."""
    parts = [
        UndoPlan(case="case/r/1", uid=f"case/r/1/{n}/run{n}", rule="r", campaign="first")
        for n in range(2, 30)
    ]
    head = UndoPlan(case="case/r/1", uid="case/r/1/first", rule="r")
    found = assess_undo([head, *parts], {}, LIMITS)
    assert (found.cases, found.parts, found.reasons) == (1, 29, ())
    assert describe_cases(found.cases, found.parts) == "1 case of 29 parts"
    assert describe_cases(29, 29) == "29 cases"
    assert assess_undo([head, *parts], {}, LIMITS, further=5).reasons == ()
    assert len(assess_undo([head, *parts], {}, LIMITS, further=6).reasons) == 1


@pytest.mark.parametrize(
    "plans",
    [
        [plan_of("case/r/1", "a", "b", "c")],
        [plan_of("case/r/1", "a")],
        [plan_of("case/r/2", "a", "b")],
        [plan_of("case/r/1", "a"), plan_of("case/r/2", "b")],
    ],
)
def test_a_digest_stands_for_exactly_what_would_be_undone(plans: list[UndoPlan]) -> None:
    """Other messages, cases or verdicts have another; the order makes no difference."""
    clean = {"a": "NONE", "b": "NONE", "c": "NONE"}
    shown = assess_undo([plan_of("case/r/1", "a", "b")], clean, LIMITS).digest
    assert assess_undo([plan_of("case/r/1", "b", "a")], clean, LIMITS).digest == shown
    assert assess_undo(plans, clean, LIMITS).digest != shown
    worse = assess_undo([plan_of("case/r/1", "a", "b")], clean | {"b": "MALICIOUS"}, LIMITS)
    assert worse.digest != shown


def held(digest: str = "1-a") -> UndoAssessment:
    """What needs a second person."""
    return UndoAssessment(changes=1, reasons=("one is malicious",), digest=digest)


def agreement() -> UndoAgreement:
    """The agreement on an undo that Ana asked for, which is held."""
    found = UndoAgreement(person("Ana"), "wrong verdict", CaseTiming())
    assert found.needs_people(held(), NOW)
    return found


def decide(found: UndoAgreement, *, approved: bool) -> None:
    """Take the decision of Bob."""
    found.decide(Decision(approved=approved, actor=person("bob"), at=NOW))


def test_the_second_person_is_another_one() -> None:
    """However the first one writes the name."""
    found = agreement()
    assert "another person" in (found.approval_problem(person(" ANA "), "1-a") or "")
    assert found.approval_problem(person("bob"), "1-a") is None
    assert found.hold is not None
    assert found.hold.expires_at - NOW == timedelta(days=7)


def test_an_approval_counts_for_what_was_shown() -> None:
    """What has changed since is held again, and needs another approval."""
    found = agreement()
    assert "has changed" in (found.approval_problem(person("bob"), "1-b") or "")
    decide(found, approved=True)
    assert found.pending is None
    assert found.needs_people(held("2-b"), NOW)
    assert found.pending is not None
    assert found.decision is None

    decide(found, approved=True)
    assert not found.needs_people(held("2-b"), NOW)


def test_what_needs_nobody_any_more_begins() -> None:
    """The verdicts may have been corrected while it was held."""
    found = agreement()
    assert not found.needs_people(UndoAssessment(changes=1, digest="1-c"), NOW)
    assert found.pending is None
    assert "does not wait" in (found.approval_problem(person("bob"), "1-c") or "")


def test_a_decision_is_taken_once() -> None:
    """After it there is nothing to decide."""
    found = agreement()
    decide(found, approved=False)
    assert "does not wait" in (found.decision_problem() or "")
    assert "does not wait" in (found.approval_problem(person("bob"), "1-a") or "")


def test_pages_are_shown_as_one() -> None:
    """Counts are added, reasons named once, and the digest stands for all of them."""
    pages = [
        UndoHold(
            actor=person("ana"),
            held_at=NOW,
            expires_at=NOW + timedelta(days=days),
            assessment=held(f"1-{days}").model_copy(update={"verdicts": {"NONE": days}}),
        )
        for days in (2, 1)
    ]
    merged = merge_holds(pages)
    assert merged.assessment.verdicts == {"NONE": 3}
    assert (merged.assessment.changes, merged.assessment.reasons) == (2, ("one is malicious",))
    assert merged.expires_at == NOW + timedelta(days=1)
    assert merged.assessment.digest == merge_holds(pages[::-1]).assessment.digest
    assert merge_holds(pages[:1]) == pages[0]
