"""The guard's promises.

Budgets in every window, one answer for one ask, refunds, surges, demotions.
"""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import BudgetKind
from clawback.cases import Limit
from clawback.cases.hold_cause import HoldCause
from clawback.cases.state import Campaign
from clawback.guard import (
    Budgets,
    Demotion,
    Guard,
    GuardSnapshot,
    Loss,
    LossReason,
    Past,
    Refund,
    Reservation,
    ReservationResult,
    Stop,
    Surge,
)
from clawback.guard.campaigns import MOST_CAMPAIGNS
from clawback.model.size import PAYLOAD_LIMIT, payload_size
from tests.people import person

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TEN_AN_HOUR = Budgets(overall=(Limit(messages=10, per=HOUR),))
_numbers = count()


def asked(number: int = 1, **said: object) -> Reservation:
    """An ask with an id of its own."""
    return Reservation(
        **{
            "id": f"a{next(_numbers)}",
            "rule": "r",
            "budget": BudgetKind.MESSAGES,
            "count": number,
            **said,
        }
    )


def fresh() -> Guard:
    """A guard that knows nothing."""
    return Guard(GuardSnapshot())


def test_the_last_unit_is_granted_once() -> None:
    """Ten may be spent; the eleventh is refused, with the budget and what was spent."""
    guard = fresh()
    assert [guard.reserve(asked(5), TEN_AN_HOUR, NOW).granted for _ in range(3)] == [
        True,
        True,
        False,
    ]
    refused = guard.reserve(asked(1), TEN_AN_HOUR, NOW)
    assert refused == ReservationResult(
        granted=False,
        reason="1 messages would exceed 10 messages per 1h of all rules together (10 so far)",
        cause=HoldCause.SHARE,
    )


def test_an_ask_that_is_repeated_is_charged_once() -> None:
    """The answer got lost, and the activity asks again."""
    guard, ask = fresh(), asked(10)
    assert guard.reserve(ask, TEN_AN_HOUR, NOW).granted
    assert guard.reserve(ask, TEN_AN_HOUR, NOW).granted
    assert guard.spent("all/messages", HOUR, NOW) == 10


def test_what_was_not_spent_comes_back_once() -> None:
    """Already-there and failed messages cost nothing; a refund is never more than was granted."""
    guard, ask = fresh(), asked(10)
    guard.reserve(ask, TEN_AN_HOUR, NOW)
    for _ in range(3):
        guard.refund(Refund(id=ask.id, count=4))
    guard.refund(Refund(id="unknown", count=4))
    assert guard.spent("all/messages", HOUR, NOW) == 0
    assert guard.reserve(asked(10), TEN_AN_HOUR, NOW).granted


def test_a_rule_has_its_own_limits_and_else_the_common_one() -> None:
    """Its own replace the common one; another rule is not touched by them."""
    guard, budgets = fresh(), Budgets(rule=(Limit(messages=3, per=HOUR),))
    own = (Limit(messages=5, per=HOUR), Limit(messages=6, per=timedelta(days=1)))
    assert guard.reserve(asked(5, limits=own), budgets, NOW).granted
    assert (
        "5 messages per 1h of the rule" in guard.reserve(asked(1, limits=own), budgets, NOW).reason
    )
    later = NOW + 2 * HOUR
    assert (
        "6 messages per 1d of the rule"
        in guard.reserve(asked(2, limits=own), budgets, later).reason
    )
    assert not guard.reserve(asked(4, rule="other"), budgets, NOW).granted
    assert guard.reserve(asked(3, rule="other"), budgets, NOW).granted


def test_kinds_are_counted_apart() -> None:
    """Blocks do not use up messages."""
    guard, budgets = (
        fresh(),
        Budgets(overall=(Limit(messages=1, per=HOUR), Limit(blocks=1, per=HOUR))),
    )
    assert guard.reserve(asked(), budgets, NOW).granted
    assert guard.reserve(asked(budget=BudgetKind.BLOCKS), budgets, NOW).granted
    assert not guard.reserve(asked(budget=BudgetKind.BLOCKS), budgets, NOW).granted


def test_what_people_agreed_to_is_charged_and_not_refused() -> None:
    """An approval passes a budget, and others feel it."""
    guard = fresh()
    assert guard.reserve(asked(100, approved=True), TEN_AN_HOUR, NOW).granted
    assert not guard.reserve(asked(1), TEN_AN_HOUR, NOW).granted


def test_a_campaign_is_capped() -> None:
    """What one case touches between two decisions of people stays below the campaign budget."""
    guard, budgets = fresh(), Budgets(campaign=10)
    assert guard.reserve(asked(5, spent=5), budgets, NOW).granted
    assert "of one campaign (6 so far)" in guard.reserve(asked(5, spent=6), budgets, NOW).reason


def campaign(**known: object) -> Campaign:
    """A campaign of several parts, as one of them knows it."""
    return Campaign(**{"id": "run", "opened_at": NOW, **known})


PARTS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "reserve", "decide"]),
        st.integers(0, 3),
        st.integers(1, 6),
        st.integers(0, 6),
    ),
    max_size=30,
)


@given(PARTS, st.integers(0, 9))
def test_the_parts_of_a_campaign_are_counted_exactly(
    events: list[tuple[str, int, int, int]], before: int
) -> None:
    """Reservations and refunds of all parts, and decisions that only some of them know of.

    The count survives a snapshot after each event.
    """
    guard, budgets, spent = fresh(), Budgets(campaign=12), before
    parts = [campaign(spent=before)] * 4
    for number, (kind, part, units, unspent) in enumerate(events):
        guard = Guard(GuardSnapshot.model_validate_json(guard.snapshot().model_dump_json()))
        if kind == "decide":
            at = NOW + timedelta(seconds=number)
            known = campaign(decision=str(number), decided_at=at)
            parts = [
                known if other in {part, units % 4} else one for other, one in enumerate(parts)
            ]
            spent = 0
        ask = asked(units, campaign=parts[part], approved=kind == "decide")
        granted = guard.reserve(ask, budgets, NOW).granted
        assert granted == (ask.approved or spent + units <= 12)
        if granted:
            back = min(unspent, units)
            guard.refund(Refund(id=ask.id, count=back, campaign=parts[part]))
            spent += units - back


def test_a_refund_from_before_a_decision_is_not_counted() -> None:
    """People have decided since: what was spent before is no longer counted, nor given back."""
    guard, budgets = fresh(), Budgets(campaign=10)
    early = asked(9, campaign=campaign())
    decided = campaign(decision="d", decided_at=NOW)
    assert guard.reserve(early, budgets, NOW).granted
    assert guard.reserve(asked(6, campaign=decided, approved=True), budgets, NOW).granted
    guard.refund(Refund(id=early.id, count=9, campaign=early.campaign))
    assert "(6 so far)" in guard.reserve(asked(5, campaign=campaign()), budgets, NOW).reason


def test_what_a_lost_guard_counted_of_campaigns_is_not_zero() -> None:
    """Those that are open are held until people decide; later ones are counted as ever."""
    guard, budgets = fresh(), Budgets(campaign=10)
    guard.recover(Past(snapshot=None), NOW)
    guard.confirm("r")
    refused = guard.reserve(asked(campaign=campaign()), budgets, NOW)
    assert "what the campaign has spent of 10 messages is not known" in refused.reason
    later = campaign(id="later", opened_at=NOW + HOUR)
    assert guard.reserve(asked(campaign=later), budgets, NOW).granted
    decided = campaign(decision="d", decided_at=NOW + HOUR)
    assert guard.reserve(asked(10, campaign=decided, approved=True), budgets, NOW).granted
    assert "(10 so far)" in guard.reserve(asked(campaign=decided), budgets, NOW).reason


def test_campaigns_are_kept_in_bounded_space() -> None:
    """Those that spent longest ago are forgotten, and then held; their count is never zero."""
    guard, budgets, most = fresh(), Budgets(campaign=10), MOST_CAMPAIGNS
    every = [
        campaign(id=f"{number:0>36}", opened_at=NOW + timedelta(seconds=number))
        for number in range(most + 10)
    ]
    for one in every:
        assert guard.reserve(asked(6, campaign=one), budgets, NOW).granted
    snapshot = guard.snapshot()
    assert len(snapshot.campaigns) == most
    assert payload_size(snapshot.campaigns) < 256 * 1024
    again = Guard(snapshot)
    assert "not known" in again.reserve(asked(campaign=every[9]), budgets, NOW).reason
    assert "(6 so far)" in again.reserve(asked(6, campaign=every[10]), budgets, NOW).reason


def test_blocks_are_not_messages_of_a_campaign() -> None:
    """The budget of a campaign is one of messages."""
    guard, budgets = fresh(), Budgets(campaign=10)
    assert guard.reserve(asked(10, campaign=campaign()), budgets, NOW).granted
    blocks = asked(5, budget=BudgetKind.BLOCKS, campaign=campaign())
    assert guard.reserve(blocks, budgets, NOW).granted


@pytest.mark.parametrize("who", [{"rule": "r"}, {"verdicts": {"MALICIOUS": 1}}])
def test_a_surge_far_above_the_usual_is_held(who: dict[str, object]) -> None:
    """A rule, or a verdict under many rules, that used to hit two an hour and now hits hundreds."""
    guard, budgets = fresh(), Budgets(surge=Surge(least=20, factor=10))
    for hours in range(48, 0, -1):
        assert guard.reserve(
            asked(2, verdicts={"MALICIOUS": 2}, rule="r"), budgets, NOW - hours * HOUR
        ).granted
    granted = [
        guard.reserve(asked(1, **{"rule": f"other{number}", **who}), budgets, NOW)
        for number in range(100)
    ]
    assert 15 <= sum(answer.granted for answer in granted) <= 21
    assert "hits far more than usual" in granted[-1].reason


def test_a_busy_rule_may_be_busy() -> None:
    """What is usual is no surge."""
    guard, budgets = fresh(), Budgets(surge=Surge(least=20, factor=10))
    for hours in range(48, 1, -1):
        guard.reserve(asked(15), budgets, NOW - hours * HOUR)
    assert guard.reserve(asked(100), budgets, NOW).granted


def test_a_demoted_rule_is_held_until_it_is_confirmed() -> None:
    """What people agree to may be done all the while."""
    guard = fresh()
    guard.demote("r", Demotion(actor=person("ana"), at=NOW, undone=3))
    guard.demote("r", Demotion(actor=person("bob"), at=NOW, undone=2))
    assert guard.demoted["r"].undone == 5
    assert "undone by bob" in guard.reserve(asked(), Budgets(), NOW).reason
    assert guard.reserve(asked(approved=True), Budgets(), NOW).granted
    assert guard.needs_confirmation("r", NOW)
    guard.confirm("r")
    assert not guard.needs_confirmation("r", NOW)
    assert guard.reserve(asked(), Budgets(), NOW).granted


def test_repeats_are_counted_by_pattern() -> None:
    """The number of earlier blocks; asking again does not make it another repeats."""
    guard, again = fresh(), asked(budget=BudgetKind.BLOCKS, subject="p")
    assert [
        guard.reserve(asked(budget=BudgetKind.BLOCKS, subject="p"), Budgets(), NOW).repeats
        for _ in range(2)
    ] == [0, 1]
    assert [guard.reserve(again, Budgets(), NOW).repeats for _ in range(2)] == [2, 2]
    assert guard.reserve(asked(budget=BudgetKind.BLOCKS, subject="q"), Budgets(), NOW).repeats == 0


@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 6), st.booleans()), max_size=80))
def test_no_window_ever_holds_more_than_the_budget(asks: list[tuple[int, int, bool]]) -> None:
    """No window exceeds its budget, over any reservations, refunds and continue-as-new."""
    guard, now, granted = fresh(), NOW, list[tuple[datetime, int]]()
    for gap, number, given_back in asks:
        now += timedelta(seconds=gap)
        ask = asked(number)
        if guard.reserve(ask, TEN_AN_HOUR, now).granted:
            if given_back:
                guard.refund(Refund(id=ask.id, count=number))
            else:
                granted.append((now, number))
        guard = Guard(GuardSnapshot.model_validate_json(guard.snapshot().model_dump_json()))
    for end, _ in granted:
        assert sum(number for at, number in granted if end - HOUR < at <= end) <= 10


def lost(guard: Guard, past: Past, now: datetime) -> Guard:
    """A guard that was started again, and has read this past of the one before."""
    again = Guard(GuardSnapshot(binding=guard.binding))
    again.lose(Loss(reason=LossReason.CLOSED, at=now, generation=guard.generation))
    again.recover(past, now)
    again.resume()
    return again


@given(
    st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 6), st.booleans()), max_size=60),
    st.sets(st.integers(0, 60)),
)
def test_a_guard_that_reads_its_past_decides_as_if_it_was_never_lost(
    asks: list[tuple[int, int, bool]], losses: set[int]
) -> None:
    """Compared with a guard that is never lost, over any reservations, refunds and demotions."""
    kept, other, now = fresh(), fresh(), NOW
    for number, (gap, units, is_odd) in enumerate(asks):
        now += timedelta(seconds=gap)
        if number in losses:
            kept = lost(kept, Past(snapshot=kept.snapshot(), is_complete=True), now)
        ask = asked(units, rule="odd" if is_odd else "even", subject=str(units))
        results = [guard.reserve(ask, TEN_AN_HOUR, now) for guard in (kept, other)]
        assert results[0] == results[1]
        for guard in (kept, other):
            if is_odd:
                guard.refund(Refund(id=ask.id, count=units // 2))
            if units == 6:
                guard.demote("odd", Demotion(actor=person("ana"), at=now))


@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 6)), max_size=60),
    st.booleans(),
)
def test_a_guard_whose_past_is_unknown_grants_nothing_for_the_window(
    asks: list[tuple[int, int]],
    is_partly_known: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """Nothing unapproved within an hour, and nothing of a rule that nobody has confirmed."""
    before = fresh()
    past = Past(snapshot=before.snapshot() if is_partly_known else None)
    guard, now = lost(before, past, NOW), NOW
    guard.confirm("vouched")
    for gap, units in asks:
        now += timedelta(seconds=gap)
        known = guard.reserve(asked(units, rule="vouched"), TEN_AN_HOUR, now)
        assert not (known.granted and now - NOW < HOUR)
        assert not guard.reserve(asked(rule="other"), Budgets(), now).granted or (
            now - NOW >= timedelta(days=7)
        )
        assert guard.reserve(asked(rule="other", approved=True), TEN_AN_HOUR, now).granted


def test_an_unknown_past_is_over_after_its_windows() -> None:
    """After seven days the guard knows all that matters again."""
    guard = lost(fresh(), Past(), NOW)
    assert not guard.reserve(asked(), TEN_AN_HOUR, NOW + timedelta(days=6)).granted
    assert guard.reserve(asked(), TEN_AN_HOUR, NOW + timedelta(days=7)).granted


def test_a_lost_guard_stays_stopped_by_whom_it_was() -> None:
    """The first reason stands: a person's stop is not replaced by that of the loss."""
    before = fresh()
    before.stop(Stop(by="ana", at=NOW, reason="too much"))
    again = Guard(GuardSnapshot())
    again.lose(Loss(reason=LossReason.MISSING, at=NOW))
    assert again.stopped is not None
    assert again.stopped.by == "clawback"
    again.recover(Past(snapshot=before.snapshot(), is_complete=True), NOW)
    assert again.stopped.by == "ana"


def test_the_snapshot_stays_below_the_payload_limit() -> None:
    """A hundred busy rules, and more grants and repeats with long names than are ever kept."""
    guard, now = fresh(), NOW
    for number in range(24_000):
        now += timedelta(seconds=25)
        rule = f"{number % 100:0>80}"
        ask = asked(rule=rule, budget=BudgetKind.BLOCKS, subject=f"{number:0>64}")
        assert guard.reserve(ask, Budgets(), now).granted
    snapshot = guard.snapshot()
    assert len(snapshot.model_dump_json()) < PAYLOAD_LIMIT
    assert snapshot.grants
    assert snapshot.repeats
    again = Guard(GuardSnapshot.model_validate_json(snapshot.model_dump_json()))
    for key in (f"all/{BudgetKind.BLOCKS}", f"rule/{rule}/{BudgetKind.BLOCKS}"):
        for per in (HOUR, timedelta(days=7)):
            assert again.spent(key, per, now) == guard.spent(key, per, now) > 0


HELD = BudgetKind.HELD_MESSAGES


def test_what_held_cases_move_has_a_budget_of_its_own() -> None:
    """Neither takes from the other, and what a campaign may spend does not count for it."""
    guard = fresh()
    budgets = Budgets(
        overall=(Limit(messages=5, per=HOUR), Limit(held_messages=5, per=HOUR)), campaign=5
    )
    assert guard.reserve(asked(5, spent=0), budgets, NOW).granted
    assert guard.reserve(asked(5, budget=HELD, spent=5), budgets, NOW).granted
    refused = guard.reserve(asked(1, budget=HELD), budgets, NOW)
    assert (refused.cause, refused.reason) == (
        HoldCause.SHARE,
        "1 held messages would exceed 5 held messages per 1h of all rules together (5 so far)",
    )


def test_a_rule_may_limit_what_its_held_cases_move() -> None:
    """Its limits of that kind replace nothing else."""
    guard, own = fresh(), (Limit(held_messages=2, per=HOUR),)
    assert guard.reserve(asked(2, budget=HELD, limits=own), Budgets(), NOW).granted
    assert guard.reserve(asked(1, budget=HELD, limits=own), Budgets(), NOW).cause is (
        HoldCause.RULE_LIMIT
    )
    assert guard.reserve(asked(9, limits=own), Budgets(), NOW).granted


def test_what_held_cases_move_is_no_surge_of_a_verdict() -> None:
    """The same messages are counted once, when the response moves them."""
    guard, budgets = fresh(), Budgets(surge=Surge(least=5, factor=10))
    verdicts = {"MALICIOUS": 9}
    assert guard.reserve(asked(9, budget=HELD, verdicts=verdicts), budgets, NOW).granted
    assert guard.spent("verdict/medium/MALICIOUS", HOUR, NOW) == 0


def test_held_cases_of_a_demoted_rule_move_nothing() -> None:
    """Its work was undone: a person must confirm the rule first."""
    guard = fresh()
    guard.demote("r", Demotion(actor=person("ana"), at=NOW))
    assert guard.reserve(asked(budget=HELD), Budgets(), NOW).cause is HoldCause.DEMOTED


def test_what_happens_while_a_case_is_held_does_not_touch_its_place() -> None:
    """The case waits on for what the guard refused, whatever becomes of the rest."""
    guard = fresh()
    budgets = Budgets(overall=(Limit(messages=1, per=HOUR), Limit(held_messages=1, per=HOUR)))
    assert guard.reserve(asked(1), budgets, NOW).granted
    assert not guard.reserve(asked(1, case="case/r/1"), budgets, NOW).granted
    assert guard.reserve(asked(1, budget=HELD), budgets, NOW).granted
    assert not guard.reserve(asked(1, budget=HELD), budgets, NOW).granted
    assert guard.has_waiting(NOW)


def test_to_give_back_costs_nothing() -> None:
    """People decided about it, and it takes nothing from anybody."""
    guard = fresh()
    budgets = Budgets(overall=(Limit(held_messages=1, per=HOUR),))
    assert guard.reserve(asked(0, budget=HELD, approved=True), budgets, NOW).granted
    assert guard.spent("all/held_messages", HOUR, NOW) == 0
