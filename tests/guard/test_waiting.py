"""Held cases that wait for room in a budget: who goes on, in which order, at what cost."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import BudgetKind
from clawback.cases import Limit
from clawback.cases.hold_cause import HoldCause
from clawback.doctor.temporal_checks import budget_findings
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
    Shares,
    Stop,
    nearly_used_shares,
)
from clawback.guard.waiting import MOST_TOLD, MOST_WAITING
from clawback.model.level import Level
from clawback.model.size import PAYLOAD_LIMIT, payload_size
from tests.people import person
from tests.workflows.deployment import shipped_rules

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TEN = Budgets(overall=(Limit(messages=10, per=HOUR),), shares=Shares(levels={Level.HIGH: 20}))
"""Up to medium 8, all together 10."""
_numbers = count()


def ask(
    guard: Guard, name: str, now: datetime = NOW, budgets: Budgets = TEN, **said: Any
) -> ReservationResult:
    """Ask for one message of a case."""
    wanted = Reservation(
        **{
            "id": f"w{next(_numbers)}",
            "rule": name.split("/")[1],
            "budget": BudgetKind.MESSAGES,
            "count": 1,
            "case": name,
            **said,
        }
    )
    return guard.reserve(wanted, budgets, now)


def used_up(budgets: Budgets = TEN, level: Level = Level.MEDIUM) -> Guard:
    """A guard whose budget has just been used up at a level."""
    guard = Guard(GuardSnapshot())
    while ask(guard, "case/used/up", budgets=budgets, level=level, case="").granted:
        pass
    return guard


def test_those_of_the_highest_level_go_on_first_and_then_the_oldest() -> None:
    """As many as have room; nothing is charged before they ask."""
    guard = used_up()
    for number in range(8):
        since = NOW - number * MINUTE
        assert ask(guard, f"case/medium/{number}", since=since).again is not None
    assert ask(guard, "case/low/1", level=Level.LOW, since=NOW - HOUR).again is not None
    grants = [ask(guard, f"case/high/{number}", level=Level.HIGH) for number in range(4)]
    assert [one.granted for one in grants] == [True, True, False, False]

    assert not guard.take_due(NOW + 59 * MINUTE)
    due = guard.take_due(NOW + 62 * MINUTE)
    high = ["case/high/2", "case/high/3"]
    assert list(due) == high + [f"case/medium/{number}" for number in range(7, -1, -1)]
    assert all(
        ask(guard, one, NOW + 62 * MINUTE, level=Level(one.split("/")[1])).granted for one in due
    )
    assert guard.has_waiting(NOW)
    assert not guard.take_due(NOW + 62 * MINUTE)


def test_one_that_is_too_large_holds_up_nobody() -> None:
    """It can never fit, so people must decide; of those that can, none overtakes."""
    guard = used_up()
    assert ask(guard, "case/r/large", count=9).again is None
    assert ask(guard, "case/r/eight", count=8).again is not None
    assert ask(guard, "case/r/one", since=NOW + MINUTE).again is not None
    assert guard.take_due(NOW + 62 * MINUTE) == ("case/r/eight",)
    assert guard.has_waiting(NOW)


def test_a_rule_without_room_holds_up_only_itself() -> None:
    """By its own limits, which the case brought."""
    guard, own = Guard(GuardSnapshot()), (Limit(messages=1, per=timedelta(days=1)),)
    assert ask(guard, "case/own/1", limits=own).granted
    assert ask(guard, "case/own/2", limits=own).cause is HoldCause.RULE_LIMIT
    while ask(guard, "case/other/1", case="").granted:
        pass
    ask(guard, "case/other/2")
    assert guard.take_due(NOW + 2 * HOUR) == ("case/other/2",)
    assert guard.take_due(NOW + timedelta(days=2)) == ("case/own/2",)


def test_nobody_is_told_who_must_not_act() -> None:
    """Not while containment is stopped, and no case of a rule that was demoted."""
    guard, later = used_up(), NOW + 2 * HOUR
    ask(guard, "case/r/1")
    guard.demote("r", Demotion(actor=person("ana"), at=NOW))
    assert not guard.take_due(later)
    assert ask(guard, "case/r/2").cause is HoldCause.DEMOTED
    guard.confirm("r")
    guard.stop(Stop(by="ana", at=NOW))
    assert not guard.take_due(later)
    guard.resume()
    assert guard.take_due(later) == ("case/r/1", "case/r/2")


def test_cases_of_a_demoted_rule_go_on_when_it_is_confirmed() -> None:
    """Highest level first and then the oldest, and meanwhile nothing has to look for them."""
    guard, later = Guard(GuardSnapshot()), NOW + MINUTE
    guard.demote("r", Demotion(actor=person("ana"), at=NOW))
    levels = {"low": Level.LOW, "high": Level.HIGH, "high2": Level.HIGH}
    for seconds, (name, level) in enumerate(levels.items()):
        at = NOW + timedelta(seconds=seconds)
        assert ask(guard, f"case/r/{name}", at, level=level).again is not None
    guard = Guard(GuardSnapshot.model_validate_json(guard.snapshot().model_dump_json()))
    assert not guard.has_waiting(later)

    guard.confirm("r")
    assert guard.has_waiting(later)
    assert guard.take_due(later) == ("case/r/high", "case/r/high2", "case/r/low")


def test_cases_of_a_demoted_rule_go_on_within_its_budget() -> None:
    """A confirmation is no approval: what has no room waits for the budget."""
    guard = used_up()
    guard.demote("r", Demotion(actor=person("ana"), at=NOW))
    assert ask(guard, "case/r/1").cause is HoldCause.DEMOTED
    guard.confirm("r")
    assert not guard.take_due(NOW + MINUTE)
    assert guard.take_due(NOW + 2 * HOUR) == ("case/r/1",)


def test_after_a_lost_guard_a_confirmed_rule_goes_on() -> None:
    """Whether it was demoted is not known; the other rules wait on."""
    guard = Guard(GuardSnapshot())
    guard.lose(Loss(reason=LossReason.MISSING, at=NOW))
    guard.recover(Past(), NOW)
    guard.resume()
    assert ask(guard, "case/r/1").again is not None
    assert ask(guard, "case/other/1").again is not None
    assert not guard.has_waiting(NOW)
    guard.confirm("r")
    assert guard.has_waiting(NOW)
    # Every window but the shortest is unknown as well.
    assert guard.take_due(NOW + 2 * HOUR) == ("case/r/1",)


def test_a_flood_of_a_demoted_rule_takes_no_place_of_others() -> None:
    """Nobody knows when it is confirmed, so its cases ask by themselves."""
    guard = used_up()
    guard.demote("bad", Demotion(actor=person("ana"), at=NOW))
    for number in range(MOST_WAITING + 10):
        ask(guard, f"case/bad/{number}", level=Level.CRITICAL)
    assert ask(guard, "case/r/1").again is not None
    waiting = guard.snapshot().waiting
    assert len(waiting) == MOST_WAITING
    assert "case/r/1" in waiting
    assert guard.take_due(NOW + 2 * HOUR) == ("case/r/1",)


def test_a_case_that_goes_on_gives_up_its_place() -> None:
    """Approved by people, or refused for something that does not pass."""
    guard, later = used_up(), NOW + 2 * HOUR
    ask(guard, "case/r/approved")
    ask(guard, "case/r/large")
    assert ask(guard, "case/r/approved", approved=True).granted
    ask(guard, "case/r/large", count=20)
    assert not guard.has_waiting(NOW)
    assert not guard.take_due(later)


def test_one_that_is_refused_again_and_again_is_told_ever_less_often() -> None:
    """The guard cannot know all that a case will ask for."""
    guard, now = used_up(), NOW + 2 * HOUR
    for asked in range(1, 40):
        ask(guard, "case/r/1", now, count=8, asked=asked)
        ask(guard, "case/r/1", now, count=8, asked=asked)
        assert not guard.take_due(now + (min(asked, 30) - 1) * MINUTE)
        now += 2 * HOUR


def test_a_case_keeps_its_place_for_what_is_still_held() -> None:
    """Mail of it to protected people goes on out of the reserve, the rest waits on."""
    shares = Shares(protected=10)
    budgets = Budgets(overall=TEN.overall, shares=shares)
    guard = used_up(budgets)
    ask(guard, "case/r/1", budgets=budgets)
    assert ask(guard, "case/r/1", budgets=budgets, protected=True).is_reserve
    assert guard.take_due(NOW + 2 * HOUR) == ("case/r/1",)


PLACES = st.lists(
    st.tuples(st.sampled_from([Level.LOW, Level.MEDIUM]), st.integers(0, 50), st.integers(1, 3)),
    max_size=30,
)


@given(PLACES, st.integers(0, 8))
def test_the_order_against_an_oracle(places: list[tuple[Level, int, int]], spent: int) -> None:
    """Sorted, and as long as there is room for the next one; over continue-as-new."""
    guard, later = used_up(), NOW + 2 * HOUR
    for number, (level, age, units) in enumerate(places):
        since = NOW - age * MINUTE
        ask(guard, f"case/r/{number}", level=level, count=units, since=since)
    ask(guard, "case/other/1", later, count=spent, approved=True, case="")
    guard = Guard(GuardSnapshot.model_validate_json(guard.snapshot().model_dump_json()))

    order = sorted(range(len(places)), key=lambda one: (-places[one][0].rank, -places[one][1]))
    expected, room = list[str](), 8 - spent
    for one in order:
        if (room := room - places[one][2]) < 0:
            break
        expected.append(f"case/r/{one}")
    assert list(guard.take_due(later)) == expected


def test_a_storm_of_20000_waits_in_bounded_space() -> None:
    """Those of the highest level keep their places; the others ask by themselves, ever later."""
    guard = used_up()
    results = {
        f"case/junk_bank_change_invoice/{number:016x}": ask(
            guard,
            f"case/junk_bank_change_invoice/{number:016x}",
            NOW + timedelta(milliseconds=number),
            verdicts={"MALICIOUS": 1},
        )
        for number in range(6_000)
    }
    assert all(one.again for one in results.values())
    kept = guard.snapshot().waiting
    assert len(kept) <= MOST_WAITING
    assert set(list(results)[: len(kept)]) == set(kept)
    assert payload_size(kept) < 400 * 1024
    assert payload_size(guard.snapshot()) < PAYLOAD_LIMIT
    late = results[list(results)[-1]]
    assert late.again is not None
    assert HOUR <= late.again - NOW - timedelta(seconds=6) <= 2 * HOUR

    while ask(guard, "case/high/x", case="", level=Level.HIGH).granted:
        pass
    ask(guard, "case/high/1", NOW + MINUTE, level=Level.HIGH)
    assert "case/high/1" in guard.snapshot().waiting
    assert guard.take_due(NOW + 2 * HOUR)[0] == "case/high/1"


def test_held_decoys_go_on_by_themselves_and_cheaply() -> None:
    """2,000 campaigns under the shipped budgets, over hours, as the cases and the guard do it.

    Each is asked for at most three times, in their order, and the budgets hold all the while.
    """
    guard, budgets = Guard(GuardSnapshot()), shipped_rules().safety.budgets.budgets
    asks, granted, own = Counter[str](), list[datetime](), list[datetime]()

    def ask_for(case: str, now: datetime) -> None:
        asks[case] += 1
        result = ask(guard, case, now, budgets, since=NOW, asked=asks[case] - 1)
        if result.granted:
            granted.append(now)
        elif result.again is not None:
            own.append(result.again)

    for number in range(2_000):
        ask_for(f"case/rule{number % 10}/{number:04}", NOW + timedelta(milliseconds=number))
    now = NOW
    while len(granted) < 2_000 and now < NOW + timedelta(days=1):
        now += MINUTE
        due = guard.take_due(now)
        assert len(due) <= MOST_TOLD
        for case in due:
            ask_for(case, now)
    assert len(granted) == 2_000
    assert now <= NOW + 5 * HOUR
    assert max(asks.values()) <= 3
    assert min(own) > now - HOUR
    for end in set(granted):
        assert sum(end - HOUR < at <= end for at in granted) <= 550


def test_a_refund_frees_room_too() -> None:
    """Without waiting for the window."""
    guard = Guard(GuardSnapshot())
    assert ask(guard, "case/r/1", count=8, id="all", case="").granted
    ask(guard, "case/r/2")
    assert not guard.take_due(NOW + MINUTE)
    guard.refund(Refund(id="all", count=8))
    assert guard.take_due(NOW + MINUTE) == ("case/r/2",)


def test_people_see_which_shares_are_nearly_used() -> None:
    """By the budgets that the guard was told last; what has plenty left is left out."""
    budgets = Budgets(
        overall=(Limit(messages=20, per=HOUR), Limit(blocks=20, per=HOUR)),
        shares=Shares(levels={Level.CRITICAL: 20}, protected=10),
    )
    guard = used_up(budgets)
    assert ask(guard, "case/r/1", budgets=budgets, protected=True).is_reserve
    assert list(nearly_used_shares(guard.snapshot(), NOW)) == [
        "14 of the 14 messages per 1h for rules up to high"
    ]
    ask(guard, "case/r/2", budgets=budgets, protected=True)
    ask(guard, "case/r/3", budgets=budgets, level=Level.CRITICAL, count=4)
    shown = list(nearly_used_shares(guard.snapshot(), NOW))
    assert shown[1:] == [
        "18 of the 18 messages per 1h for rules up to critical",
        "2 of the 2 messages per 1h for protected people",
    ]
    assert not list(nearly_used_shares(guard.snapshot(), NOW + 2 * HOUR))
    waiting = [one.found for one in budget_findings(used_waiting(), NOW)]
    assert waiting[-1] == "1 case held until a budget has room or a rule is confirmed"


def used_waiting() -> GuardSnapshot:
    """A guard with one case that waits."""
    guard = used_up()
    ask(guard, "case/r/1")
    return guard.snapshot()
