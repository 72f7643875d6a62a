"""The summary of a case: what lists show of it, and how large it may be."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_json

from clawback.actions import BlockSender, Move
from clawback.actions.outcomes import MOVED
from clawback.cases import ActionStep, Case, CasePlan, CaseTiming, Decision, Match
from clawback.cases.state import CaseStart
from clawback.cases.summary import (
    MOST_BYTES,
    CaseSummary,
    StoredSummary,
    summarize,
    summarize_start,
)
from clawback.model.messages import Destination, Target
from clawback.model.mode import Mode
from clawback.model.size import payload_size
from tests.people import person

NOW = datetime(2026, 11, 28, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TIMING = CaseTiming()
PLAN = CasePlan(
    rule="r",
    version="v1",
    mode=Mode.APPROVE,
    actions=(Move(destination=Destination.PURGES), BlockSender(pattern="a@b.test")),
)
TEXTS = {
    "subject": "Invoice 4471 overdue",
    "sender_name": "PayPal",
    "spf": "fail",
    "dkim": "pass",
    "dmarc": "none",
}


def match(number: int, **texts: Any) -> Match:
    """Build a match of one message."""
    target = Target(id=f"m{number}", at=NOW, sender="a@b.test", mailbox="u@c.test", **texts)
    return Match(key=f"message/m{number}", at=NOW, seen_at=NOW, targets=(target,))


def held(*matches: Match, plan: CasePlan = PLAN) -> Case:
    """Let a case be held with these matches."""
    case = Case.open(plan, TIMING, "case/r/1/run", NOW)
    for one in matches:
        case.add_match(one, NOW)
    case.next(NOW)
    return case


def summary_of(case: Case) -> CaseSummary:
    """Summarize a case as it publishes itself."""
    proposal = case.proposal() if case.held_since else None
    return summarize(case.plan, TIMING, case.snapshot(), proposal)


def test_people_see_the_first_message() -> None:
    """Also before the case has taken its first step."""
    matches = [match(1, **TEXTS), match(2, subject="Another", spf="pass")]
    start = summarize_start(CaseStart(plan=PLAN), matches)
    for found in (summary_of(held(*matches)), start):
        assert (found.subject, found.sender_name) == ("Invoice 4471 overdue", "PayPal")
        assert found.authentication == "spf fail, dmarc none"
        assert found.last_match_at == NOW


def test_the_clauses_that_matched_are_told_apart_from_values() -> None:
    """Cases of one rule share clauses; a value, which may be from mail, changes none."""
    reasons = [("a is x ← x", "b has y ← my y"), ("a is x ← x", "b has y ← ← no y")]
    first, second = (match(1).model_copy(update={"reasons": one}) for one in reasons)
    found = summary_of(held(first))
    assert len(set(found.clauses)) == 2
    assert found.clauses == summary_of(held(second)).clauses
    assert found.clauses == summarize_start(CaseStart(plan=PLAN), [match(0), second]).clauses


def test_approvals_and_what_arrives_meanwhile_are_counted() -> None:
    """A match that joins counts as arrived, and takes the approvals with it."""
    case = held(match(1))
    case.decide(Decision(approved=True, actor=person("ana"), at=NOW + MINUTE))
    found = summary_of(case)
    assert (found.approvals, found.needs, found.decision) == (1, 2, None)
    assert (found.held_at, found.arrived_while_held) == (NOW, 0)

    case.add_match(match(2), NOW + MINUTE)
    case.next(NOW + MINUTE)
    found = summary_of(case)
    assert (found.approvals, found.needs, found.arrived_while_held) == (0, 2, 1)
    assert (found.held_at, found.last_match_at) == (NOW, NOW + MINUTE)


def test_a_decision_names_everybody_who_agreed() -> None:
    """By whom, when and why."""
    case = held(match(1))
    for who in ("ana", "ben"):
        decision = Decision(approved=True, actor=person(who), at=NOW + MINUTE, reason="phish")
        case.decide(decision)
    noted = summary_of(case).decision
    assert noted is not None
    assert (noted.what, noted.by, noted.at) == ("approved", ("ana", "ben"), NOW + MINUTE)
    assert noted.reason == "phish"


def test_a_denial_and_an_undo_name_who_gave_them() -> None:
    """A later undo does not hide the decision."""
    case = held(match(1))
    case.decide(Decision(approved=False, actor=person("ana"), at=NOW, reason="our newsletter"))
    case.undo(person("ben"), "all of it", NOW + MINUTE)
    found = summary_of(case)
    assert found.decision is not None
    assert found.undone is not None
    assert (found.decision.what, found.decision.by) == ("denied", ("ana",))
    assert (found.undone.by, found.undone.at) == (("ben",), NOW + MINUTE)
    assert found.undone.reason == "all of it"


def test_a_campaign_expires_with_its_first_part() -> None:
    """The case itself may not be held while parts of it are."""
    whole = CaseSummary(rule="r", messages=2)
    late, soon = (whole.model_copy(update={"deadline": NOW + n * MINUTE}) for n in (2, 1))
    found = whole.plus([late, soon])
    assert (found.deadline, found.messages) == (NOW + MINUTE, 6)
    assert whole.plus([]) == whole


def test_a_memo_leaves_out_what_is_empty() -> None:
    """It is read as it was; a line of a list has every field, for programs."""
    found = summarize(PLAN, TIMING, held(match(1)).snapshot())
    written = to_json(found)
    assert b"null" not in written
    assert {"decision", "assignee", "subject"}.isdisjoint(json.loads(written))
    assert StoredSummary.model_validate_json(written) == found
    plain = CaseSummary.model_validate_json(written)
    assert {"decision", "assignee", "subject"} <= plain.model_dump(mode="json").keys()


def test_a_small_case_of_three_messages_has_a_memo_without_a_warning() -> None:
    """The server warns of each memo over two kibibytes."""
    texts = {"message_id": "<0123456789abcdef@bad.test>", "verdict": "MALICIOUS", **TEXTS}
    moves = (Move(destination=Destination.JUNK), BlockSender(pattern="a@b.test"))
    plan = PLAN.model_copy(update={"mode": Mode.ENFORCE, "actions": moves})
    case = Case.open(plan, TIMING, "case/r/0123456789abcdef/" + "0" * 36, NOW)
    for number in range(3):
        case.add_match(match(number, **texts), NOW)
    step = case.next(NOW)
    assert isinstance(step, ActionStep)
    case.start_step(step, NOW)
    case.end_step(step, dict.fromkeys(step.subjects, MOVED), NOW)
    found = summarize(plan, TIMING, case.snapshot())
    assert found.undo is not None
    assert payload_size(found) < 2048


def test_a_summary_is_small_whatever_mail_says() -> None:
    """Ten thousand of them make a list."""
    odd = '\N{PILE OF POO}\x00"\\' * 1000
    texts = {"subject": odd[:60], "sender_name": odd[:30], "spf": odd[:5]}
    plan = PLAN.model_copy(
        update={
            "title": "t" * 300,
            "actions": tuple(BlockSender(pattern=f"{n}{'a' * 60}@b.test") for n in range(9)),
        }
    )
    reasons = tuple(f"field {number} ← {odd[:9]}" for number in range(10))
    matches = [
        match(number, **texts).model_copy(update={"reasons": reasons}) for number in range(30)
    ]
    case = held(*matches, plan=plan)
    for who in range(9):
        actor = person(f"{who}{'x' * 400}")
        case.decide(Decision(approved=True, actor=actor, at=NOW, reason='"' * 300))
        found = summary_of(case)
        assert payload_size(found.model_copy(update={"undo": None})) <= MOST_BYTES
        if not case.held_since:
            break
    assert found.decision
