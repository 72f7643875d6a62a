"""Whom a case tells what, and when.

After the work, once for each occasion, in few digests, each reporter once.
"""

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
from clawback.cases.undo_plan import UndoScope, plan_undo
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination, Target
from clawback.model.mode import Mode

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVERY = Notify(channel="soc", when=tuple(Occasion))
REPORTER = TellReporter(channel="desk")
LONG = timedelta(hours=1)


def opened(*notifications: Notify | TellReporter, **changes: Any) -> Case:
    """Open a case that moves and tells."""
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
    """Build a match of one message."""
    target = Target(id=f"m{number}", at=NOW)
    return Match(
        **{"key": f"message/m{number}", "at": NOW, "seen_at": NOW, "targets": (target,), **changes}
    )


def work(case: Case, now: datetime = NOW, outcome: str = MOVED) -> None:
    """Expect work and do it."""
    step = case.next(now)
    assert isinstance(step, ActionStep)
    case.end_step(step, {target.id: outcome for target in step.targets}, now)


def told(case: Case, now: datetime = NOW) -> list[NotificationStep]:
    """Send what is to be told now on its way."""
    tells = []
    while isinstance(step := case.next(now), NotificationStep):
        case.notifications.begin(step, now)
        tells.append(step)
    return tells


def test_people_are_told_after_the_work_what_was_really_done() -> None:
    """Never before; with the outcomes as they are, not as they were hoped for."""
    case = opened()
    case.add_match(match(1), NOW)
    case.add_match(match(2, handled=True), NOW)
    step = case.next(NOW)
    assert isinstance(step, ActionStep)
    case.end_step(step, {"m1": "failed:not_found", "m2": ALREADY_THERE}, NOW)
    (one,) = told(case)
    assert (one.context.occasion, one.context.is_late, one.context.messages) == (
        Occasion.DONE,
        False,
        2,
    )
    assert one.context.actions[0].outcomes == {"failed:not_found": 1, "already_there": 1}
    assert told(case) == []


def test_late_arrivals_are_acted_on_at_once_and_told_in_ever_rarer_digests() -> None:
    """A message a minute for ten hours.

    600 moves, and not more than eight notices; the last tells all.
    """
    case = opened()
    tells: list[NotificationStep] = []
    for minute in range(600):
        now = NOW + timedelta(minutes=minute)
        case.add_match(match(minute), now)
        work(case, now)
        tells += told(case, now)
    step = case.next(NOW + timedelta(hours=11))
    assert isinstance(step, NotificationStep)
    case.notifications.begin(step, NOW + timedelta(hours=11))
    assert isinstance(case.next(NOW + timedelta(hours=11)), CloseStep)
    assert len(tells) <= 7
    assert [one.context.is_late for one in tells[:2]] == [False, True]
    assert step.context.actions[0].outcomes == {"moved": 600}


def test_a_digest_wakes_the_case() -> None:
    """It waits no longer than until the next one is due."""
    case = opened()
    case.add_match(match(1), NOW)
    work(case)
    told(case)
    case.add_match(match(2), NOW + timedelta(minutes=1))
    work(case, NOW + timedelta(minutes=1))
    step = case.next(NOW + timedelta(minutes=1))
    assert step == WaitStep(until=NOW + timedelta(minutes=10))
    assert len(told(case, NOW + timedelta(minutes=10))) == 1


def test_a_held_case_tells_once_why_and_until_when_and_again_before_its_time_is_up() -> None:
    """And then that nobody answered."""
    case = opened(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    (held,) = told(case)
    assert (held.context.occasion, held.context.reason) == (
        Occasion.HELD,
        "the rule asks for approval",
    )
    assert held.context.answer_by == NOW + timedelta(days=7)
    case.add_match(match(2), NOW + LONG)
    assert told(case, NOW + LONG) == []
    (last,) = told(case, NOW + timedelta(days=6, hours=1))
    assert last.context.occasion is Occasion.HELD
    (expired,) = told(case, NOW + timedelta(days=8))
    assert (expired.context.occasion, expired.context.actions[0].outcomes) == (
        Occasion.EXPIRED,
        {"failed:expired": 2},
    )
    case.add_match(match(3), NOW + timedelta(days=8))
    assert told(case, NOW + timedelta(days=8)) == []


def test_an_answer_is_told_with_who_gave_it() -> None:
    """Approved: with the work. Denied: at once."""
    approved, denied = opened(mode=Mode.APPROVE), opened(mode=Mode.APPROVE)
    for case, yes in ((approved, True), (denied, False)):
        case.add_match(match(1), NOW)
        told(case)
        case.decide(Decision(approved=yes, by="ana", at=NOW, reason="seen"))
    work(approved)
    (done,), (no,) = told(approved), told(denied)
    assert (done.context.occasion, done.context.decided_by) == (Occasion.DONE, ("ana",))
    assert (no.context.occasion, no.context.decided_by, no.context.reason) == (
        Occasion.DENIED,
        ("ana",),
        "seen",
    )


@pytest.mark.parametrize("when", list(Occasion))
def test_only_who_asked_is_told(when: Occasion) -> None:
    """Each notice on its own occasions."""
    case = opened(Notify(channel="soc", when=(when,)), mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    assert bool(told(case)) is (when is Occasion.HELD)
    case.decide(Decision(approved=False, by="ana", at=NOW))
    assert bool(told(case)) is (when is Occasion.DENIED)


def test_shadow_tells_nobody_and_records_that_it_would() -> None:
    """Like every other action."""
    case = opened(EVERY, REPORTER, mode=Mode.SHADOW)
    case.add_match(match(1, reporter="u@own.test"), NOW)
    assert isinstance(case.next(NOW), WaitStep)
    would = [record for record in case.take_records() if record.kind is RecordKind.WOULD_HAVE_ACTED]
    assert [record.action for record in would] == ["move", "notify", "tell_reporter"]
    assert "u@own.test" not in str(would)
    assert {one.outcome for one in case.snapshot().notifications} == {WOULD}


def test_each_reporter_is_told_once() -> None:
    """However often they report, and over continue-as-new."""
    case = opened(REPORTER)
    for number, reporter in enumerate(["u@own.test", None, "U@Own.test", "v@own.test"]):
        case.add_match(match(number, reporter=reporter), NOW)
    work(case)
    assert [one.reporter for one in told(case)] == ["u@own.test", "v@own.test"]
    later = Case(case.plan, CaseTiming(), case.snapshot())
    later.add_match(match(9, reporter="u@own.test"), NOW)
    work(later)
    assert told(later) == []


def test_a_rule_may_do_nothing_but_tell() -> None:
    """Then each match is news."""
    case = opened(actions=())
    case.add_match(match(1), NOW)
    assert [one.context.occasion for one in told(case)] == [Occasion.DONE]


def test_an_undone_case_tells_nothing_more() -> None:
    """It ends at once."""
    case = opened()
    case.add_match(match(1), NOW)
    case.undo("ana", "", NOW)
    assert case.next(NOW) == CloseStep(state=CaseState.UNDONE)


def test_undo_says_that_people_were_told_and_pretends_nothing() -> None:
    """There is nothing to take back about a notice.

    What would have been told in shadow is not counted.
    """
    case, shadow = opened(), opened(mode=Mode.SHADOW)
    for one in (case, shadow):
        one.add_match(match(1), NOW)
    work(case)
    told(case)
    shadow.next(NOW)
    found, nothing = (
        plan_undo(one.plan, one.snapshot(), UndoScope(by="ana")) for one in (case, shadow)
    )
    assert (found.notifications, found.irreversible, found.size) == (1, (), 1)
    assert (nothing.notifications, nothing.size) == (0, 0)


def test_what_became_of_a_notice_is_kept() -> None:
    """An answer about one that is not known changes nothing."""
    case = opened()
    case.add_match(match(1), NOW)
    work(case)
    (one,) = told(case)
    case.end_notification(one.number, "failed:status_404", NOW)
    case.end_notification(7, "notified", NOW)
    assert [kept.outcome for kept in case.snapshot().notifications] == ["failed:status_404"]


@given(st.lists(st.tuples(st.integers(0, 90), st.booleans()), max_size=60))
def test_however_matches_come_no_notice_is_twice_and_the_last_tells_all(
    arrivals: list[tuple[int, bool]],
) -> None:
    """Numbers and ids are unique, also over continue-as-new, and no work is forgotten."""
    case, now, tells = opened(), NOW, list[NotificationStep]()
    for number, (minutes, goes_on) in enumerate(arrivals):
        now += timedelta(minutes=minutes)
        case.add_match(match(number), now)
        work(case, now)
        tells += told(case, now)
        case = Case(case.plan, CaseTiming(), case.snapshot()) if goes_on else case
    tells += told(case, now + timedelta(days=1))
    assert len({one.id for one in tells}) == len(tells)
    assert not arrivals or tells[-1].context.actions[0].outcomes == {"moved": len(arrivals)}
