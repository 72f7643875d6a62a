"""Many small undos of one person are judged like one large undo."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.cases.undo_judgement import UndoLimits, assess_undo
from clawback.cases.undo_plan import UndoPlan
from clawback.guard import Guard, GuardSnapshot, Loss, LossReason, Past, UndoCharge, UndoLedger
from clawback.guard.undone import MOST_CASES, MOST_UNDOS
from clawback.model.messages import Target
from clawback.model.size import PAYLOAD_LIMIT, payload_size
from tests.people import person

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = UndoLimits(changes=5, cases=3)


def charge(
    who: str, case: str, *messages: str, limits: UndoLimits = LIMITS, approved: bool = False
) -> UndoCharge:
    """What it counts for somebody to take back messages of one case."""
    targets = tuple(Target(id=id_, at=NOW) for id_ in messages)
    uid = f"{case}/run-{case.replace('/', '-')}"
    plans = [UndoPlan(case=case, uid=uid, rule="r", messages=targets)]
    return UndoCharge.of(
        person(who), plans, assess_undo(plans, {}, None), limits, approved=approved
    )


def fresh() -> Guard:
    """A guard that knows nothing."""
    return Guard(GuardSnapshot())


steps = st.lists(
    st.tuples(
        st.sampled_from(["ana", "bob"]),
        st.integers(0, 4),
        st.frozensets(st.integers(0, 6), min_size=1, max_size=4),
        st.integers(0, 50),
        st.booleans(),
    ),
    max_size=20,
)


@given(steps)
def test_the_sum_of_a_window_is_judged_as_one_undo(
    wanted: list[tuple[str, int, frozenset[int], int, bool]],
) -> None:
    """Compared with a naive sum; the same undo counts once, and what is approved counts too."""
    guard, now = fresh(), NOW
    counted: list[tuple[str, str, datetime, int, int]] = []
    for who, case, messages, minutes, approved in wanted:
        now += timedelta(minutes=minutes)
        one = charge(who, f"case/r/{case}", *map(str, sorted(messages)), approved=approved)
        others = [
            (size, of)
            for by, digest, at, size, of in counted
            if by == who and digest != one.digest and now - at < HOUR
        ]
        is_much = sum(size for size, _ in others) + len(messages) > LIMITS.changes
        is_wide = len({of for _, of in others} | {case}) > LIMITS.cases
        is_alone = not (is_much or is_wide)

        assert bool(guard.count_undo(one, now)) is not (approved or is_alone)
        guard = Guard(GuardSnapshot.model_validate_json(guard.snapshot().model_dump_json()))
        if approved or is_alone:
            counted = [entry for entry in counted if entry[:2] != (who, one.digest)]
            counted.append((who, one.digest, now, len(messages), case))


def test_the_reason_says_what_was_taken_back() -> None:
    """With the name of whoever asked, the limit, and the window."""
    guard = fresh()
    assert not guard.count_undo(charge("ana", "case/r/1", *"abcd"), NOW)
    (reason,) = guard.count_undo(charge("ana", "case/r/1", *"ef"), NOW)
    assert reason == "ana has taken back 4 of 5 changes within 1h, and this undo has 2"


def test_messages_one_by_one_are_one_case() -> None:
    """Only different cases count towards the limit of cases."""
    guard = fresh()
    for message in "abcde":
        assert not guard.count_undo(charge("ana", "case/r/1", message), NOW)
    assert guard.count_undo(charge("ana", "case/r/1", "f"), NOW)


def test_cases_one_by_one_add_up() -> None:
    """However few changes they have."""
    guard = fresh()
    for case in range(3):
        assert not guard.count_undo(charge("ana", f"case/r/{case}", f"m{case}"), NOW)
    (reason,) = guard.count_undo(charge("ana", "case/r/3", "m3"), NOW)
    assert "changes of 3 of 3 cases within 1h, and this undo has 1 more" in reason


def test_an_approval_counts_for_one_undo_only() -> None:
    """The next one is held again, and what was approved is part of the sum."""
    guard = fresh()
    assert not guard.count_undo(charge("ana", "case/r/1", *"abcdefgh", approved=True), NOW)
    assert guard.count_undo(charge("ana", "case/r/1", "i"), NOW)
    assert not guard.count_undo(charge("bob", "case/r/1", "i"), NOW)


def test_what_was_held_counts_nothing() -> None:
    """A denied undo took nothing back."""
    guard = fresh()
    assert guard.count_undo(charge("ana", "case/r/1", *"abcdef"), NOW)
    assert not guard.count_undo(charge("ana", "case/r/2", *"vwxyz"), NOW)


def test_after_a_lost_guard_nobody_undoes_alone() -> None:
    """Until the window has passed in which nobody knows what was undone."""
    guard = fresh()
    guard.lose(Loss(reason=LossReason.MISSING, at=NOW))
    guard.recover(Past(), NOW)
    (reason,) = guard.count_undo(charge("ana", "case/r/1", "a"), NOW + HOUR / 2)
    assert reason == "what ana has taken back within 1h is not known"
    assert not guard.count_undo(charge("ana", "case/r/1", "a"), NOW + 2 * HOUR)


def test_a_guard_that_reads_its_past_knows_what_was_undone() -> None:
    """As it knows the budgets."""
    before = fresh()
    assert not before.count_undo(charge("ana", "case/r/1", *"abcd"), NOW)
    guard = fresh()
    guard.lose(Loss(reason=LossReason.RESET, at=NOW))
    guard.recover(Past(snapshot=before.snapshot(), is_complete=True), NOW)
    assert guard.count_undo(charge("ana", "case/r/1", *"ef"), NOW)


@pytest.mark.parametrize("cases", [1, 100])
def test_what_has_no_room_is_not_known(cases: int) -> None:
    """The ledger is bounded, and forgetting never makes room for more undos."""
    ledger, limits = UndoLedger([], None), UndoLimits(changes=10**9, cases=10**9)
    for number in range(2 * MOST_UNDOS):
        many = tuple(f"{number:04x}{case:04x}" for case in range(cases))
        one = charge("ana", "case/r/1", f"m{number}", limits=limits)
        one = one.model_copy(update={"cases": many, "approved": True})
        assert not ledger.count(one, NOW + timedelta(seconds=number), is_known=True)

    now = NOW + timedelta(seconds=2 * MOST_UNDOS)
    rows = ledger.rows
    assert len(rows) <= MOST_UNDOS
    assert sum(len(row) - 5 for row in rows) <= MOST_CASES
    snapshot = GuardSnapshot(undone=rows, undone_forgotten=ledger.forgotten)
    assert payload_size(snapshot) < PAYLOAD_LIMIT / 5
    assert ledger.count(charge("bob", "case/r/1", "a", limits=limits), now, is_known=True)


def test_an_undo_of_more_cases_than_are_named_counts_all() -> None:
    """As a number beside the hashes."""
    plans = [
        UndoPlan(case=f"case/r/{n}", uid=f"case/r/{n}/run{n}", rule="r", messages=())
        for n in range(600)
    ]
    one = UndoCharge.of(person("ana"), plans, assess_undo(plans, {}, None), LIMITS)
    assert len(one.cases) + one.more == 600


def test_the_parts_of_a_campaign_are_one_case() -> None:
    """To the guard as to people."""
    plans = [
        UndoPlan(case="case/r/1", uid=f"case/r/1/{n}/run{n}", rule="r", campaign="first")
        for n in range(2, 30)
    ]
    head = UndoPlan(case="case/r/1", uid="case/r/1/first", rule="r")
    one = UndoCharge.of(person("ana"), [*plans, head], assess_undo(plans, {}, None), LIMITS)
    assert (len(one.cases), one.more) == (1, 0)
