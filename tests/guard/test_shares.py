"""Budgets that decoys cannot exhaust: shares of levels, the reserve for protected people."""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from clawback.actions import BudgetKind
from clawback.cases import Limit
from clawback.cases.hold_cause import HoldCause
from clawback.guard import (
    Budgets,
    Demotion,
    Guard,
    GuardSnapshot,
    Refund,
    Reservation,
    ReservationResult,
    Shares,
    Surge,
)
from clawback.model.level import Level
from clawback.model.messages import Target
from clawback.model.size import payload_size
from clawback.rules.live_budgets import LiveBudgets
from clawback.rules.protected_people import ProtectedPeople
from tests.people import person
from tests.rules.folders import load, responding
from tests.workflows.deployment import shipped_rules

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHARES = Shares(levels={Level.CRITICAL: 20, Level.HIGH: 10}, protected=10)
"""Of 20: up to medium 12, up to high 14, up to critical 18, and 2 for protected people."""
TWENTY = Budgets(overall=(Limit(messages=20, per=HOUR),), shares=SHARES)
_numbers = count()


def ask(guard: Guard, budgets: Budgets = TWENTY, **said: Any) -> ReservationResult:
    """Ask for one message under an id of its own."""
    wanted = Reservation(
        **{
            "id": f"s{next(_numbers)}",
            "rule": "r",
            "budget": BudgetKind.MESSAGES,
            "count": 1,
            **said,
        }
    )
    return guard.reserve(wanted, budgets, NOW)


def grants(guard: Guard, most: int = 100, budgets: Budgets = TWENTY, **said: Any) -> int:
    """Ask until it is refused, and count the grants."""
    return next(n for n in range(most + 1) if not ask(guard, budgets, **said).granted)


def test_each_level_leaves_what_is_kept_for_those_above() -> None:
    """One after the other, lowest first: each takes its share to the last message."""
    guard = Guard(GuardSnapshot())
    taken = {level: grants(guard, level=level) for level in Level}
    assert list(taken.values()) == [12, 0, 0, 2, 4]
    assert grants(guard, level=Level.LOW, protected=True) == 2


def test_a_higher_level_may_use_what_nobody_else_needs() -> None:
    """Shares keep room free for what matters more; they never keep it from that."""
    assert grants(Guard(GuardSnapshot()), level=Level.CRITICAL) == 18


def test_the_refusal_names_the_share() -> None:
    """Readers see whose share is used up, how large it is and of what."""
    guard = Guard(GuardSnapshot())
    grants(guard)
    refused = ask(guard, count=2)
    assert refused.cause is HoldCause.SHARE
    assert refused.reason == (
        "2 messages would exceed the share of level medium: "
        "12 of 20 messages per 1h of all rules together (12 so far)"
    )


def test_what_people_approve_takes_nothing_from_higher_levels() -> None:
    """They may approve more than the whole budget: what is kept for critical is still there."""
    guard = Guard(GuardSnapshot())
    assert ask(guard, count=50, approved=True).granted
    assert grants(guard, level=Level.MEDIUM) == 0
    assert grants(guard, level=Level.CRITICAL) == 4
    assert grants(guard, protected=True) == 2


def test_blocks_have_shares_too() -> None:
    """300 forged senders leave the blocks that a critical case needs."""
    budgets = Budgets(overall=(Limit(blocks=20, per=HOUR),), shares=SHARES)
    guard, blocks = Guard(GuardSnapshot()), {"budget": BudgetKind.BLOCKS}
    assert grants(guard, 300, budgets, **blocks) == 12
    assert grants(guard, 300, budgets, level=Level.CRITICAL, **blocks) == 6


@pytest.mark.parametrize("who", [{"level": Level.CRITICAL}, {"protected": True}])
def test_a_refund_goes_back_to_the_share_it_came_from(who: dict[str, Any]) -> None:
    """Of a level, and of the reserve."""
    guard = Guard(GuardSnapshot())
    grants(guard)
    assert ask(guard, id="spared", **who).granted
    grants(guard, **who)
    guard.refund(Refund(id="spared", count=1))
    assert not ask(guard).granted
    assert grants(guard, **who) == 1


def test_mail_to_protected_people_passes_surges_and_the_common_rule_budget() -> None:
    """But neither what the author of the rule allows, nor a demotion."""
    budgets = TWENTY.model_copy(
        update={"rule": (Limit(messages=5, per=HOUR),), "surge": Surge(least=3)}
    )
    guard = Guard(GuardSnapshot())
    assert grants(guard, budgets=budgets) == 3
    own = (Limit(messages=3, per=HOUR),)
    assert ask(guard, budgets, protected=True, limits=own).cause is HoldCause.RULE_LIMIT
    assert ask(guard, budgets, protected=True).is_reserve
    guard.demote("r", Demotion(actor=person("ana"), at=NOW))
    assert ask(guard, budgets, protected=True).cause is HoldCause.DEMOTED


def test_a_surge_of_a_verdict_holds_one_level() -> None:
    """Outsiders can have any number of mails called malicious."""
    budgets = Budgets(surge=Surge(least=20))
    guard = Guard(GuardSnapshot())
    verdicts = {"MALICIOUS": 1}
    for number in range(30):
        ask(guard, budgets, rule=f"decoy{number}", verdicts=verdicts)
    held = ask(guard, budgets, rule="decoy", verdicts=verdicts)
    assert held.cause is HoldCause.SURGE
    assert ask(guard, budgets, rule="other", verdicts=verdicts, level=Level.CRITICAL).granted


ASKS = st.lists(
    st.tuples(
        st.sampled_from(list(Level)),
        st.integers(1, 6),
        st.sampled_from(["", "", "protected", "approved"]),
        st.integers(0, 1500),
    ),
    max_size=60,
)


@given(ASKS)
def test_no_share_is_ever_exceeded_nor_kept_from_its_level(
    asks: list[tuple[Level, int, str, int]],
) -> None:
    """Against an oracle that adds up every grant of the last hour, over continue-as-new.

    Minutes count whole, so the guard may refuse up to a minute longer than the oracle.
    """
    guard, now, granted = Guard(GuardSnapshot()), NOW, list[tuple[datetime, Level, int, str]]()
    for number, (level, units, how, gap) in enumerate(asks):
        now += timedelta(seconds=gap)
        wanted = Reservation(
            id=str(number),
            rule="r",
            level=level,
            budget=BudgetKind.MESSAGES,
            count=units,
            approved=how == "approved",
            protected=how == "protected",
        )
        result = guard.reserve(wanted, TWENTY, now)
        guard = Guard(GuardSnapshot.model_validate_json(guard.snapshot().model_dump_json()))
        exact = [one for one in granted if one[0] > now - HOUR]
        wide = [one for one in granted if one[0] > now - HOUR - timedelta(minutes=1)]
        if how != "approved":
            assert result.granted <= _oracle(exact, level, units, how)
            assert result.granted >= _oracle(wide, level, units, how)
        if result.granted:
            granted.append((now, level, units, "reserve" if result.is_reserve else "level"))


def _oracle(
    granted: list[tuple[datetime, Level, int, str]], level: Level, units: int, how: str
) -> bool:
    """Whether a message may be granted, written as the documentation says it."""
    up_to = {Level.HIGH: 14, Level.CRITICAL: 18}
    own = {Level.HIGH: 2, Level.CRITICAL: 4}
    order = list(Level)

    def spent(levels: list[Level]) -> int:
        return sum(n for _, one, n, kind in granted if kind == "level" and one in levels)

    fits = all(
        spent(order[: order.index(upper) + 1]) + units <= up_to.get(upper, 12)
        for upper in order[order.index(level) :]
    )
    is_own = spent([level]) + units <= own.get(level, 0)
    reserve = sum(n for _, _, n, kind in granted if kind == "reserve")
    return fits or is_own or (how == "protected" and reserve + units <= 2)


def test_decoys_do_not_exhaust_the_shipped_budgets() -> None:
    """2,000 campaigns of forged senders at medium, then a critical one to a protected person.

    The decoys are as many as are allowed at every level but critical, of as many rules as the
    attacker likes, under the verdict of the mail that matters, and with their blocks.
    """
    guard, budgets = Guard(GuardSnapshot()), shipped_rules().safety.budgets.budgets
    for number in range(2_000):
        verdicts = {"MALICIOUS": 1}
        ask(guard, budgets, rule=f"decoy{number % 20}", verdicts=verdicts)
        ask(guard, budgets, rule=f"decoy{number % 20}", budget=BudgetKind.BLOCKS)
        ask(guard, budgets, rule=f"high{number % 20}", verdicts=verdicts, level=Level.HIGH)
    assert not ask(guard, budgets, rule="decoy0").granted
    real = {"rule": "real", "level": Level.CRITICAL}
    assert ask(guard, budgets, verdicts={"MALICIOUS": 1}, **real).granted
    assert ask(guard, budgets, budget=BudgetKind.BLOCKS, **real).granted

    # Even if the decoys are critical themselves, and of the very same rule.
    for _ in range(2_000):
        ask(guard, budgets, verdicts={"MALICIOUS": 1}, **real)
    assert not ask(guard, budgets, verdicts={"MALICIOUS": 1}, **real).granted
    assert ask(guard, budgets, verdicts={"MALICIOUS": 1}, protected=True, **real).granted


def test_shares_survive_continue_as_new_and_stay_small() -> None:
    """A grant of medium says nothing about its level, as before."""
    guard = Guard(GuardSnapshot())
    before = payload_size(guard.snapshot())
    ask(guard)
    one = payload_size(guard.snapshot()) - before
    assert one < 700
    again = Guard(GuardSnapshot.model_validate_json(guard.snapshot().model_dump_json()))
    assert grants(again) == 11


def test_a_rule_has_the_level_and_limits_that_it_has_by_now(tmp_path: Path) -> None:
    """Its open cases carry those of the day when they were opened."""
    limits = "{mode: enforce, limits: {messages: 5, per: 1h}, actions: [{move: {destination: "
    keys = {"level": "level: high", "response": f"response: {limits}JunkEmail}}}}]}}"}
    text = responding("sel: {from: a@x.test}\ncondition: sel", **keys)
    tests = "event: {}, expect: match"
    text = text.replace(tests, "event: {from: a@x.test}, expect: match")
    rules = load(tmp_path, {"a_rule.yml": text})
    old = (Limit(messages=500, per=HOUR),)
    asked = [
        Reservation(id="a", rule=rule, budget=BudgetKind.MESSAGES, count=1, limits=old)
        for rule in ("a_rule", "removed")
    ]
    lowered, removed = LiveBudgets(lambda: rules).batch(asked).reservations
    assert lowered.limits == (Limit(messages=5, per=HOUR),)
    assert lowered.level is Level.HIGH
    assert removed == asked[1]
    free = LiveBudgets(lambda: rules, is_limited=False).batch(asked)
    assert free.budgets == Budgets()
    assert not any(one.limits for one in free.reservations)


def test_protected_people_are_found_by_their_mailboxes() -> None:
    """In any case, with wildcards, and only those."""
    people = ProtectedPeople(["ceo@a.test", "*@board.a.test", "[x]?@a.test"])
    found = ["CEO@a.test", "any@board.a.test", "[x]1@a.test"]
    others = ["ceo@a.test.b.test", "x1@a.test", "board.a.test", "", None]
    assert all(people.covers(one) for one in found)
    assert not any(people.covers(one) for one in others)
    targets = tuple(Target(id=str(n), at=NOW, mailbox=one) for n, one in enumerate(found + others))
    marked = people.mark(targets)
    assert [one.protected for one in marked] == [True] * 3 + [False] * 5
    assert '"protected"' not in to_json(marked[-1]).decode()
    assert ProtectedPeople([]).mark(targets) == targets
