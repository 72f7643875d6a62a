"""Which notifications a case sends, and when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import Move, Notify, Occasion, TellReporter
from clawback.actions.outcomes import ALREADY_THERE, MOVED, WOULD
from clawback.cases import (
    ActionStep,
    Case,
    CasePlan,
    CaseState,
    CaseTiming,
    CloseStep,
    Decision,
    Match,
    NotificationStep,
    WaitStep,
)
from clawback.cases.undo_plan import UndoBasis, UndoScope, plan_undo
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination, Target
from clawback.model.mode import Mode
from clawback.model.providers import Provider
from tests.people import person

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVERY = Notify(channel="soc", when=tuple(Occasion))
REPORTER = TellReporter(channel="desk")
LONG = timedelta(hours=1)


def open_case(*notifications: Notify | TellReporter, **changes: Any) -> Case:
    """A case that moves messages and notifies."""
    usual = {
        "rule": "r",
        "version": "v",
        "mode": Mode.ENFORCE,
        "group": {"edf_hash": "x"},
        "actions": (Move(destination=Destination.JUNK),),
    }
    return Case.open(
        CasePlan(**{**usual, "notifications": notifications or (EVERY,), **changes}),
        CaseTiming(),
        "case/r/1/run",
        NOW,
    )


def match(number: int, **changes: Any) -> Match:
    """A match of one message."""
    target = Target(id=f"m{number}", at=NOW)
    return Match(
        **{"key": f"message/m{number}", "at": NOW, "seen_at": NOW, "targets": (target,), **changes}
    )


def settle(case: Case, now: datetime = NOW, outcome: str = MOVED) -> None:
    """Expect an action and settle it."""
    step = case.next(now)
    assert isinstance(step, ActionStep)
    case.end_step(step, {target.id: outcome for target in step.targets}, now)


def start_due(case: Case, now: datetime = NOW) -> list[NotificationStep]:
    """Start the notifications that are due now, and return them."""
    steps = []
    while isinstance(step := case.next(now), NotificationStep):
        case.notifications.begin(step, now)
        steps.append(step)
    return steps


def test_a_case_notifies_after_its_actions() -> None:
    """The notification comes after the actions, with their real outcomes."""
    case = open_case()
    case.add_match(match(1), NOW)
    case.add_match(match(2, handled=True), NOW)
    step = case.next(NOW)
    assert isinstance(step, ActionStep)
    case.end_step(step, {"m1": "failed:not_found", "m2": ALREADY_THERE}, NOW)
    (one,) = start_due(case)
    assert (one.context.occasion, one.context.is_late, one.context.messages) == (
        Occasion.FAILED,
        False,
        2,
    )
    assert one.context.actions[0].outcomes == {"failed:not_found": 1, "already_there": 1}
    assert start_due(case) == []


def test_a_notification_says_which_folder_was_used() -> None:
    """Where the provider of a mailbox lacks the folder of the rule."""
    case = open_case(actions=(Move(destination=Destination.RECOVERABLE),))
    targets = (Target(id="m0", at=NOW, provider=Provider.GOOGLE),)
    case.add_match(match(0, targets=targets), NOW)
    settle(case)
    ((action,),) = (step.context.actions for step in start_due(case))
    assert action.action.startswith(
        "move to RecoverableItemsDeletions (DeletedItems for 1 message: Google Workspace has no"
    )


def test_late_arrivals_are_acted_on_at_once_and_reported_in_digests() -> None:
    """A message a minute for ten hours is 600 moves and at most eight notifications."""
    case = open_case()
    steps: list[NotificationStep] = []
    for minute in range(600):
        now = NOW + timedelta(minutes=minute)
        case.add_match(match(minute), now)
        settle(case, now)
        steps += start_due(case, now)
    step = case.next(NOW + timedelta(hours=11))
    assert isinstance(step, NotificationStep)
    case.notifications.begin(step, NOW + timedelta(hours=11))
    assert isinstance(case.next(NOW + timedelta(hours=11)), CloseStep)
    assert len(steps) <= 7
    assert [one.context.is_late for one in steps[:2]] == [False, True]
    assert step.context.actions[0].outcomes == {"moved": 600}


def test_a_digest_wakes_the_case() -> None:
    """The case waits no longer than until the next digest is due."""
    case = open_case()
    case.add_match(match(1), NOW)
    settle(case)
    start_due(case)
    case.add_match(match(2), NOW + timedelta(minutes=1))
    settle(case, NOW + timedelta(minutes=1))
    step = case.next(NOW + timedelta(minutes=1))
    assert step == WaitStep(until=NOW + timedelta(minutes=10))
    assert len(start_due(case, NOW + timedelta(minutes=10))) == 1


def test_a_held_case_says_what_it_would_do_and_why_it_matched() -> None:
    """People decide by it, before they open the case."""
    case = open_case(mode=Mode.APPROVE)
    clauses = tuple(f"clause {number}" for number in range(6))
    for number, mailbox in enumerate(("a@own.test", "A@own.test", "b@own.test")):
        target = Target(id=f"m{number}", at=NOW, mailbox=mailbox)
        case.add_match(match(number, targets=(target,), reasons=clauses), NOW)
    (held,) = start_due(case)
    assert held.context.why == clauses[:4]
    assert held.context.proposes == ("move to JunkEmail",)
    assert (held.context.messages, held.context.mailboxes, held.context.approvers) == (3, 2, 1)


def test_a_held_case_notifies_once_and_reminds_before_it_expires() -> None:
    """Then once more when nobody answered in time."""
    case = open_case(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    (held,) = start_due(case)
    assert (held.context.occasion, held.context.reason) == (
        Occasion.HELD,
        "the rule asks for approval",
    )
    assert held.context.answer_by == NOW + timedelta(days=7)
    case.add_match(match(2), NOW + LONG)
    assert start_due(case, NOW + LONG) == []
    (last,) = start_due(case, NOW + timedelta(days=6, hours=1))
    assert last.context.occasion is Occasion.HELD
    (expired,) = start_due(case, NOW + timedelta(days=8))
    assert (expired.context.occasion, expired.context.actions[0].outcomes) == (
        Occasion.EXPIRED,
        {"failed:expired": 2},
    )
    case.add_match(match(3), NOW + timedelta(days=8))
    assert start_due(case, NOW + timedelta(days=8)) == []


def test_a_decision_is_reported_with_the_person() -> None:
    """An approval is reported with the outcomes, a denial at once."""
    approved, denied = open_case(mode=Mode.APPROVE), open_case(mode=Mode.APPROVE)
    for case, yes in ((approved, True), (denied, False)):
        case.add_match(match(1), NOW)
        start_due(case)
        case.decide(Decision(approved=yes, actor=person("ana"), at=NOW, reason="seen"))
    settle(approved)
    (done,), (no,) = start_due(approved), start_due(denied)
    assert (done.context.occasion, done.context.decided_by) == (Occasion.DONE, ("ana",))
    assert (no.context.occasion, no.context.decided_by, no.context.reason) == (
        Occasion.DENIED,
        ("ana",),
        "seen",
    )


@pytest.mark.parametrize("when", list(Occasion))
def test_an_action_notifies_on_its_occasions_only(when: Occasion) -> None:
    """Each action notifies on its own occasions only."""
    case = open_case(Notify(channel="soc", when=(when,)), mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    assert bool(start_due(case)) is (when is Occasion.HELD)
    case.decide(Decision(approved=False, actor=person("ana"), at=NOW))
    assert bool(start_due(case)) is (when is Occasion.DENIED)


def test_shadow_mode_records_what_it_would_send() -> None:
    """It is recorded like every other action."""
    case = open_case(EVERY, REPORTER, mode=Mode.SHADOW)
    case.add_match(match(1, reporter="u@own.test"), NOW)
    assert isinstance(case.next(NOW), WaitStep)
    would = [record for record in case.take_records() if record.kind is RecordKind.WOULD_HAVE_ACTED]
    assert [record.action for record in would] == ["move", "notify", "tell_reporter"]
    assert "u@own.test" not in str(would)
    assert {one.outcome for one in case.snapshot().notifications} == {WOULD}


def test_each_reporter_is_notified_once() -> None:
    """However often they report, and across continue-as-new."""
    case = open_case(REPORTER)
    for number, reporter in enumerate(["u@own.test", None, "U@Own.test", "v@own.test"]):
        case.add_match(match(number, reporter=reporter), NOW)
    settle(case)
    assert [one.reporter for one in start_due(case)] == ["u@own.test", "v@own.test"]
    later = Case(case.plan, CaseTiming(), case.snapshot())
    later.add_match(match(9, reporter="u@own.test"), NOW)
    settle(later)
    assert start_due(later) == []


def test_a_rule_may_only_notify() -> None:
    """Each match is then reported."""
    case = open_case(actions=())
    case.add_match(match(1), NOW)
    assert [one.context.occasion for one in start_due(case)] == [Occasion.DONE]


def test_an_undone_case_notifies_nobody() -> None:
    """It ends at once."""
    case = open_case()
    case.add_match(match(1), NOW)
    case.undo(person("ana"), "", NOW)
    assert case.next(NOW) == CloseStep(state=CaseState.UNDONE)


def test_undo_counts_the_notifications_that_were_sent() -> None:
    """A notification cannot be taken back. Those of shadow mode do not count."""
    case, shadow = open_case(), open_case(mode=Mode.SHADOW)
    for one in (case, shadow):
        one.add_match(match(1), NOW)
    settle(case)
    start_due(case)
    shadow.next(NOW)
    found, nothing = (
        plan_undo(UndoBasis.of(one.plan, one.snapshot()), UndoScope(actor=person("ana")))
        for one in (case, shadow)
    )
    assert (found.notifications, found.irreversible, found.size) == (1, (), 1)
    assert (nothing.notifications, nothing.size) == (0, 0)


def test_the_outcome_of_a_notification_is_kept() -> None:
    """The outcome of an unknown delivery changes nothing."""
    case = open_case()
    case.add_match(match(1), NOW)
    settle(case)
    (one,) = start_due(case)
    case.end_notification(one.number, "failed:status_404", NOW)
    case.end_notification(7, "notified", NOW)
    assert [kept.outcome for kept in case.snapshot().notifications] == ["failed:status_404"]


@given(st.lists(st.tuples(st.integers(0, 90), st.booleans()), max_size=60))
def test_no_notification_repeats_and_the_last_reports_everything(
    arrivals: list[tuple[int, bool]],
) -> None:
    """Ids are unique, also across continue-as-new, and every outcome is reported."""
    case, now, steps = open_case(), NOW, list[NotificationStep]()
    for number, (minutes, goes_on) in enumerate(arrivals):
        now += timedelta(minutes=minutes)
        case.add_match(match(number), now)
        settle(case, now)
        steps += start_due(case, now)
        case = Case(case.plan, CaseTiming(), case.snapshot()) if goes_on else case
    steps += start_due(case, now + timedelta(days=1))
    assert len({one.id for one in steps}) == len(steps)
    assert not arrivals or steps[-1].context.actions[0].outcomes == {"moved": len(arrivals)}


def test_a_failure_is_told_as_one_and_once() -> None:
    """A channel for both hears of the failure, one for failures only of nothing else."""
    both = Notify(channel="soc", when=(Occasion.DONE, Occasion.FAILED))
    only = Notify(channel="oncall", when=(Occasion.FAILED,))
    plain = Notify(channel="log", when=(Occasion.DONE,))
    case = open_case(both, only, plain)
    case.add_match(match(1), NOW)
    settle(case)
    assert [(one.action.channel, one.context.occasion) for one in start_due(case)] == [
        ("soc", Occasion.DONE),
        ("log", Occasion.DONE),
    ]
    case.add_match(match(2), NOW)
    settle(case, outcome="failed:not_found")
    later = NOW + timedelta(minutes=10)
    assert sorted((one.action.channel, one.context.occasion) for one in start_due(case, later)) == [
        ("log", Occasion.DONE),
        ("oncall", Occasion.FAILED),
        ("soc", Occasion.FAILED),
    ]
    assert start_due(case, later + LONG) == []


def test_what_did_not_fail_is_not_told_to_those_who_hear_of_failures() -> None:
    """Late arrivals that are moved are no news either."""
    case = open_case(Notify(channel="oncall", when=(Occasion.FAILED,)))
    case.add_match(match(1), NOW)
    settle(case, outcome="failed:not_found")
    assert len(start_due(case)) == 1
    case.add_match(match(2), NOW)
    settle(case)
    assert start_due(case, NOW + LONG) == []
    case.add_match(match(3), NOW + LONG)
    settle(case, NOW + LONG, outcome="failed:not_found")
    assert len(start_due(case, NOW + LONG)) == 1


def test_a_denied_case_has_not_failed() -> None:
    """Its actions are refused, which people wanted."""
    case = open_case(Notify(channel="oncall", when=(Occasion.FAILED,)), mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    case.next(NOW)
    case.decide(Decision(approved=False, actor=person("ana"), at=NOW))
    assert start_due(case) == []
