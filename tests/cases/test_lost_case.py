"""A case that continues a lost one does nothing again."""

from datetime import UTC, datetime, timedelta

import pytest

from clawback.actions import Move
from clawback.actions.outcomes import MOVED, UNKNOWN
from clawback.cases import ActionStep, Case, CasePlan, CaseState, CaseTiming, Match, WaitStep
from clawback.cases.lost_case import LostCase, take_over
from clawback.model.messages import Destination, Target
from clawback.model.mode import Mode

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PLAN = CasePlan(
    rule="r",
    version="v",
    mode=Mode.ENFORCE,
    group={},
    actions=(Move(destination=Destination.JUNK),),
)


def match(name: str) -> Match:
    """The match of one message."""
    return Match(key=name, at=NOW, seen_at=NOW, targets=(Target(id=name, at=NOW),))


def opened(uid: str, *names: str) -> Case:
    """A case with some messages."""
    case = Case.open(PLAN, CaseTiming(), uid, NOW)
    for name in names:
        case.add_match(match(name), NOW)
    return case


def test_what_was_done_or_may_have_been_is_not_done_again() -> None:
    """A step that was in progress has an unknown outcome."""
    lost = opened("case/r/x/1", "a", "b")
    step = lost.next(NOW)
    assert isinstance(step, ActionStep)
    lost.start_step(step, NOW)
    lost.add_match(match("c"), NOW)

    new = opened("case/r/x/2", "a")
    snapshot = take_over(new.snapshot(), lost.snapshot(), LostCase())
    assert snapshot.outcomes == ({"a": UNKNOWN, "b": UNKNOWN},)
    assert (snapshot.uid, snapshot.applied) == ("case/r/x/2", ())
    case = Case(PLAN, CaseTiming(), snapshot)
    case.add_match(match("a"), NOW)
    case.add_match(match("d"), NOW)
    again = case.next(NOW)
    assert isinstance(again, ActionStep)
    assert {target.id for target in again.targets} == {"c", "d"}


def test_what_the_new_case_did_before_it_knew_is_kept() -> None:
    """It moved a message before the parts of the lost one were listed: undo knows of it."""
    lost, new = opened("case/r/x/1", "a"), opened("case/r/x/2", "b")
    for case in (lost, new):
        step = case.next(NOW)
        assert isinstance(step, ActionStep)
        case.end_step(step, dict.fromkeys(step.subjects, MOVED), NOW)

    snapshot = take_over(new.snapshot(), lost.snapshot(), LostCase())
    assert snapshot.outcomes == ({"a": MOVED, "b": MOVED},)
    assert [one.subjects for one in snapshot.applied] == [("b",)]
    assert snapshot.spent == 2
    case = Case(PLAN, CaseTiming(), snapshot)
    case.add_match(match("b"), NOW)
    assert isinstance(case.next(NOW), WaitStep)
    assert set(case.snapshot().targets) == {"a", "b"}


def test_parts_that_ended_meanwhile_keep_no_case_open() -> None:
    """Nobody told the case of them, and it would wait for them for ever."""
    lost = opened("case/r/x/1", "a")
    step = lost.next(NOW)
    assert isinstance(step, ActionStep)
    lost.end_step(step, {"a": MOVED}, NOW)
    lost.parts.states.update({2: CaseState.HELD, 3: CaseState.SETTLED})

    known = LostCase(parts={3: CaseState.SETTLED, 4: CaseState.HELD})
    snapshot = take_over(opened("case/r/x/2").snapshot(), lost.snapshot(), known)
    assert snapshot.parts == {2: CaseState.CLOSED, 3: CaseState.SETTLED, 4: CaseState.HELD}
    case = Case(PLAN, CaseTiming(), snapshot)
    assert case.campaign_state is CaseState.HELD
    assert case.parts.are_open
    case.parts.states.update(dict.fromkeys([3, 4], CaseState.CLOSED))
    assert not isinstance(case.next(NOW + timedelta(days=1)), WaitStep)


@pytest.mark.parametrize("is_held", [True, False])
def test_a_plan_with_other_steps_beside_the_response_goes_on(*, is_held: bool) -> None:
    """The ceiling was raised or lowered since: the rule may now act while held, or no more."""
    aside = Move(destination=Destination.DELETED)
    asking = PLAN.model_copy(update={"mode": Mode.APPROVE})
    with_aside = asking.model_copy(update={"while_held": aside})
    before, now = (asking, with_aside) if is_held else (with_aside, asking)
    lost = Case.open(before, CaseTiming(), "case/r/x/1", NOW)
    lost.add_match(match("a"), NOW)

    snapshot = take_over(opened("case/r/x/2").snapshot(), lost.snapshot(), LostCase())
    case = Case(now, CaseTiming(), snapshot)
    step = case.next(NOW)
    assert isinstance(step, ActionStep) is is_held
    assert len(case.snapshot().outcomes) == len(now.all_actions)
