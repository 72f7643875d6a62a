"""What a case does while it is held, and what becomes of that, as a state machine."""

from datetime import timedelta
from typing import Any

import pytest

from clawback.actions import BulkMove, Move, Notify, Occasion, Reclassify
from clawback.actions.outcomes import MOVED, UNKNOWN
from clawback.cases import (
    ActionStep,
    Case,
    CaseState,
    CaseTiming,
    Decision,
    JoinStep,
    NotificationStep,
    StepPurpose,
    WaitStep,
)
from clawback.cases.hold_cause import HoldCause
from clawback.cases.undo_plan import UndoBasis, UndoScope, plan_undo
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination, Disposition, Target
from clawback.model.mode import Mode
from clawback.model.providers import Provider
from tests.cases.test_case import LATER, NOW, acts, done, match, opened
from tests.people import person

JUNK = Move(destination=Destination.JUNK)
REAL = Move(destination=Destination.RECOVERABLE)
EXPIRED = NOW + CaseTiming().approval_timeout


def held(messages: int = 2, **changes: Any) -> Case:
    """Open a case that asks first, and moves to the junk folder meanwhile."""
    chosen = {"mode": Mode.APPROVE, "actions": (REAL,), "while_held": JUNK, **changes}
    case = opened(**chosen)
    for number in range(messages):
        case.add_match(match(number), NOW)
    return case


def moved(case: Case, outcome: str = MOVED) -> ActionStep:
    """Carry out what is due while the case is held."""
    step = acts(case)
    assert step.purpose is StepPurpose.WHILE_HELD
    case.start_step(step, NOW)
    done(case, step, outcome)
    return step


def decide(case: Case, *, approved: bool) -> None:
    """Decide the case."""
    case.decide(Decision(approved=approved, actor=person("ana"), at=LATER))


def undone(case: Case) -> list[str]:
    """The messages that an undo would return."""
    basis = UndoBasis.of(case.plan, case.snapshot())
    return [one.id for one in plan_undo(basis, UndoScope(actor=person("ana"))).messages]


def test_a_held_case_moves_its_messages_and_stays_held() -> None:
    """It acts in the name of nobody, then waits for people as before."""
    case = held()
    step = moved(case)
    assert (step.action, step.approved, len(step.targets)) == (JUNK, False, 2)
    assert isinstance(case.next(NOW), WaitStep)
    assert case.state is CaseState.HELD


def test_what_is_proposed_does_not_change_by_it() -> None:
    """Digest, messages and number of people are those of a case without `while-held`."""
    case, plain = held(), held(while_held=None)
    plain.next(NOW)
    shown = plain.proposal()
    moved(case)
    assert case.proposal() == shown


def test_the_response_follows_once_the_case_is_approved() -> None:
    """Every message gets the real move, also those that were moved already."""
    case = held()
    moved(case)
    decide(case, approved=True)
    step = acts(case, LATER)
    assert (step.action, step.approved, len(step.targets)) == (REAL, True, 2)


def test_a_response_to_the_same_folder_needs_no_request() -> None:
    """What is there already stays there; what may not be is moved."""
    case = held(actions=(JUNK,))
    step = acts(case)
    case.start_step(step, NOW)
    case.end_step(step, {"m0": MOVED, "m1": UNKNOWN}, NOW)
    decide(case, approved=True)
    assert acts(case, LATER).subjects == ("m1",)
    assert case.actions.outcomes[0] == {"m0": "already_there"}


def test_a_response_to_the_nearest_folder_needs_no_request_where_that_is_the_same() -> None:
    """At a provider without the folder of the response, mail lies where it would go already."""
    case = held(0, while_held=Move(destination=Destination.DELETED))
    for number, provider in enumerate((Provider.GOOGLE, None)):
        targets = (Target(id=f"m{number}", at=NOW, provider=provider),)
        case.add_match(match(number, targets=targets), NOW)
    moved(case)
    decide(case, approved=True)
    assert acts(case, LATER).subjects == ("m1",)
    assert case.actions.outcomes[0] == {"m0": "already_there"}


def test_a_message_that_shows_as_moved_is_still_moved_on() -> None:
    """A report names a message that the case itself has moved: nobody else has handled it."""
    case = held(1)
    moved(case)
    case.add_match(match(0, key="report/1", handled=True), NOW)
    case.next(NOW)
    decide(case, approved=True)
    assert acts(case, LATER).subjects == ("m0",)


def test_a_report_during_the_move_does_not_count_as_handled_either() -> None:
    """The report is read before the response of the move is."""
    case = held(1)
    step = acts(case)
    case.start_step(step, NOW)
    case.add_match(match(0, key="report/1", handled=True), NOW)
    assert isinstance(case.next(NOW), WaitStep)
    assert case.actions.outcomes[0] == {}


def test_what_somebody_else_has_handled_is_left_alone() -> None:
    """It is no message that the case keeps anything from."""
    case = held(0)
    case.add_match(match(0, handled=True), NOW)
    case.add_match(match(1), NOW)
    assert moved(case).subjects == ("m1",)


def test_a_message_that_joins_later_is_moved_too() -> None:
    """Alone: the others are there already."""
    case = held(2)
    moved(case)
    case.add_match(match(7), LATER)
    assert moved(case).subjects == ("m7",)


def test_a_refusal_is_recorded_once_and_holds_nothing() -> None:
    """Why the case is held stays as it was; a further message is tried anew."""
    case = held(2)
    case.next(NOW)
    before = case.snapshot().hold_reason
    step = acts(case)
    case.give_up(step, "2 held messages would exceed 1", HoldCause.SHARE, NOW)
    records = [one for one in case.take_records() if one.kind is RecordKind.ACTED]
    assert [(one.action, one.outcome, one.detail) for one in records] == [
        ("move_while_held", "failed:share", "2 held messages would exceed 1")
    ] * 2
    assert isinstance(case.next(NOW), WaitStep)
    assert (case.state, case.snapshot().hold_reason) == (CaseState.HELD, before)
    case.add_match(match(5), LATER)
    assert acts(case, LATER).subjects == ("m5",)


def test_it_does_not_end_the_hold_of_a_guard_that_refused() -> None:
    """The guard is still asked again about the response, which goes on once it has room."""
    case = held(1, mode=Mode.ENFORCE)
    response = acts(case)
    assert response.purpose is StepPurpose.RESPONSE
    case.refuse(response, "over the budget", HoldCause.SHARE, NOW + timedelta(hours=1))
    moved(case)
    assert case.state is CaseState.HELD
    case.ask_again(LATER)
    assert acts(case, LATER) == response


@pytest.mark.parametrize("cause", list(HoldCause))
def test_nothing_happens_while_the_rule_itself_is_in_doubt(cause: HoldCause) -> None:
    """A surge, a change and an undo hold everything; budgets and approvals do not."""
    case = held(1, mode=Mode.ENFORCE)
    case.refuse(acts(case), "why", cause, None)
    is_doubtful = cause in {HoldCause.SURGE, HoldCause.CHANGED, HoldCause.DEMOTED}
    assert isinstance(case.next(NOW), WaitStep if is_doubtful else ActionStep)


def test_a_denial_gives_back_what_was_moved() -> None:
    """In the name of whoever denied it, once; then nothing is left to undo."""
    case = held()
    moved(case)
    decide(case, approved=False)
    step = acts(case, LATER)
    assert (step.purpose, step.approved, step.subjects) == (
        StepPurpose.GIVE_BACK,
        True,
        ("m0", "m1"),
    )
    assert (step.action, step.cost) == (Move(destination=Destination.INBOX), 0)
    case.start_step(step, LATER)
    case.end_step(step, dict.fromkeys(step.subjects, MOVED), LATER)
    assert isinstance(case.next(LATER), WaitStep)
    assert undone(case) == []


def test_what_may_not_have_been_given_back_is_undone() -> None:
    """An unknown outcome changes nothing about what undo returns."""
    case = held()
    moved(case)
    decide(case, approved=False)
    step = acts(case, LATER)
    case.end_step(step, {"m0": MOVED, "m1": UNKNOWN}, LATER)
    assert undone(case) == ["m1"]


def test_a_denial_waits_for_the_move_before_it_gives_back() -> None:
    """Whatever the order of the requests, the message ends in the inbox."""
    case = held(1)
    step = acts(case)
    case.start_step(step, NOW)
    decide(case, approved=False)
    assert (isinstance(case.next(LATER), JoinStep), case.wants(step)) == (True, False)
    done(case, step)
    assert acts(case, LATER).purpose is StepPurpose.GIVE_BACK


def test_an_approval_waits_for_the_move_before_the_response() -> None:
    """The response comes last, so that it decides where the message is."""
    case = held(1)
    step = acts(case)
    case.start_step(step, NOW)
    decide(case, approved=True)
    assert isinstance(case.next(LATER), JoinStep)
    done(case, step)
    assert acts(case, LATER).action == REAL


def test_people_can_decide_while_the_move_goes_on() -> None:
    """The case waits for them, and for the end of its patience, not for the move."""
    case = held(1)
    case.start_step(acts(case), NOW)
    waits = case.next(NOW)
    assert isinstance(waits, WaitStep)
    assert isinstance(case.next(EXPIRED), JoinStep)
    assert case.state is CaseState.EXPIRED


def test_people_are_told_what_was_moved() -> None:
    """The message that a case is held waits for the move, but not for long."""
    case = held(1, notifications=(Notify(channel="soc", when=(Occasion.HELD,)),))
    step = acts(case)
    case.start_step(step, NOW)
    waits = case.next(NOW)
    assert isinstance(waits, WaitStep)
    assert waits.until == NOW + timedelta(seconds=30)
    assert isinstance(case.next(waits.until), NotificationStep)
    done(case, step)
    told = case.next(NOW)
    assert isinstance(told, NotificationStep)
    assert told.context.moved_while_held == 1
    assert [(one.action, one.outcomes) for one in told.context.actions] == [
        ("move to RecoverableItemsDeletions", {}),
        ("move to JunkEmail while held", {"moved": 1}),
    ]


def test_a_message_about_the_response_does_not_count_it_twice() -> None:
    """What was moved aside before is no part of what was done in the end."""
    case = held(1, notifications=(Notify(channel="soc", when=(Occasion.DONE,)),))
    moved(case)
    decide(case, approved=True)
    done(case, acts(case, LATER))
    told = case.next(LATER)
    assert isinstance(told, NotificationStep)
    assert [one.outcomes for one in told.context.actions] == [{"moved": 1}]


def test_silence_gives_nothing_back_and_says_so() -> None:
    """The messages stay where they are, and undo returns them."""
    case = held()
    moved(case)
    case.next(EXPIRED)
    expired = next(one for one in case.take_records() if one.kind is RecordKind.EXPIRED)
    assert expired.detail == "2 messages left in JunkEmail; undo returns them"
    assert undone(case) == ["m0", "m1"]


def test_undo_returns_a_message_once() -> None:
    """Moved while held and by the response: it goes back once."""
    case = held(1)
    moved(case)
    decide(case, approved=True)
    done(case, acts(case, LATER))
    assert undone(case) == ["m0"]


def test_nothing_of_the_response_is_charged() -> None:
    """The budget of the response, and what the campaign has spent, stay as they were."""
    case = held()
    step = acts(case)
    case.ask(step)
    assert case.actions.current_campaign.spent == 0
    moved(case)
    assert (step.budget, case.actions.spent) == ("held_messages", 0)


def test_older_mail_that_a_search_found_waits_for_people() -> None:
    """No condition of the rule holds for it, so only a person may decide."""
    older = BulkMove(destination=Destination.RECOVERABLE, sender="a@x.test")
    case = held(1, mode=Mode.ENFORCE, actions=(older,))
    search = case.next(NOW)
    assert search is not None
    case.end_search(search, (Target(id="old", at=NOW),), None, NOW)  # type: ignore[arg-type]
    assert isinstance(case.next(NOW), WaitStep)


def test_a_further_part_of_a_campaign_does_the_same() -> None:
    """It has the actions on single messages, and so what happens meanwhile."""
    plan = held(0).plan
    case = Case.open(plan, CaseTiming(), "case/r/1/2/run", NOW, part=2)
    case.add_match(match(1), NOW)
    assert moved(case).subjects == ("m1",)


def test_a_snapshot_keeps_what_was_moved() -> None:
    """A case that continues as new does not move it again, and gives it back."""
    case = held()
    moved(case)
    again = Case(case.plan, CaseTiming(), case.snapshot())
    assert isinstance(again.next(NOW), WaitStep)
    decide(again, approved=False)
    assert acts(again, LATER).subjects == ("m0", "m1")


def test_a_reclassification_in_progress_does_not_hold_a_move() -> None:
    """A message that joins meanwhile is moved; the case settles when both have ended."""
    case = opened(actions=(JUNK, Reclassify(disposition=Disposition.MALICIOUS)))
    case.add_match(match(1), NOW)
    done(case, acts(case))
    reclassification = acts(case)
    assert reclassification.is_beside
    case.start_step(reclassification, NOW)
    assert isinstance(case.next(NOW), JoinStep)
    case.add_match(match(2), LATER)
    late = acts(case, LATER)
    assert (late.action, late.subjects) == (JUNK, ("m2",))
    done(case, late)
    assert (isinstance(case.next(LATER), JoinStep), case.state) == (True, CaseState.RESPONDING)
    case.end_step(reclassification, {"m1": "reclassified"}, LATER)
    case.next(LATER)
    assert case.state is CaseState.SETTLED
