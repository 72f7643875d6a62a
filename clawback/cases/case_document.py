"""A case as one JSON document, for systems that open a ticket about it. Bounded in bytes."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import to_jsonable_python

from clawback.cases.case import Case
from clawback.cases.plan import CasePlan
from clawback.cases.state import CaseSnapshot, CaseStart, CaseState, Decision
from clawback.model.messages import Target
from clawback.model.notations import canonical_address
from clawback.model.texts import bounded

MOST_BYTES: Final = 256 * 1024
"""The largest document, as ASCII JSON."""
_MOST_CLAUSES = 20
_LONGEST_VALUE = 1000


def build_case_document(case: CaseStart, limit: int = MOST_BYTES) -> dict[str, Any]:
    """Build the document of a case that has begun.

    Texts from mail are as they were: whoever shows them must make them harmless. `messages` holds
    the first messages, and `messages_omitted` counts those for which there is no room.
    """
    plan, snapshot = case.plan, case.snapshot
    if snapshot is None:
        return {}

    document = {
        "case": plan.case_id,
        "uid": snapshot.uid,
        "part": case.part,
        "state": snapshot.state,
        "rule": plan.rule,
        "rule_version": plan.version,
        "title": plan.title,
        "level": plan.level,
        "mode": plan.mode,
        "group": {name: value and _bounded(value) for name, value in plan.group.items()},
        "why": [_bounded(one) for one in snapshot.match_reasons[:_MOST_CLAUSES]],
        "opened_at": snapshot.opened_at,
        "last_match_at": snapshot.last_match_at,
        "hold": _describe_hold(case, snapshot),
        "decisions": [_describe_decision(one) for one in _decisions(snapshot)],
        "actions": list(_describe_actions(plan, snapshot)),
        "timeline": snapshot.timeline,
        "totals": _count(snapshot),
    }
    found: dict[str, Any] = to_jsonable_python(document)
    messages = list(_fitting_messages(plan, snapshot, limit - _size(found) - _FRAME))
    omitted = len(snapshot.targets) - len(messages)
    return {**found, "messages": messages, "messages_omitted": omitted}


_FRAME = 100
"""Bytes of the keys that are added last."""


def _describe_hold(case: CaseStart, snapshot: CaseSnapshot) -> dict[str, Any] | None:
    if snapshot.state is not CaseState.HELD or snapshot.held_at is None:
        return None

    proposal = Case(case.plan, case.timing, snapshot, case.part).proposal()
    return {
        "since": snapshot.held_at,
        "answer_by": snapshot.held_at + case.timing.approval_timeout,
        "reason": _bounded(snapshot.hold_reason),
        "cause": snapshot.hold_cause,
        "proposes": [_bounded(one) for one in proposal.actions],
        "messages": len(proposal.messages),
        "approvers": proposal.needs,
        "digest": proposal.digest,
    }


def _decisions(snapshot: CaseSnapshot) -> Iterator[Decision]:
    yield from snapshot.approvals
    if snapshot.decision is not None and snapshot.decision not in snapshot.approvals:
        yield snapshot.decision


def _describe_decision(decision: Decision) -> dict[str, Any]:
    return {
        "approved": decision.approved,
        "by": decision.actor.label,
        "at": decision.at,
        "reason": _bounded(decision.reason),
    }


def _describe_actions(plan: CasePlan, snapshot: CaseSnapshot) -> Iterator[dict[str, Any]]:
    for name, described, outcomes in zip(
        plan.action_names, plan.descriptions, snapshot.outcomes, strict=False
    ):
        counts = dict(Counter(outcomes.values()))
        yield {"action": name, "description": described, "outcomes": counts}


def _count(snapshot: CaseSnapshot) -> dict[str, int]:
    mailboxes = {canonical_address(one.mailbox) for one in snapshot.targets.values() if one.mailbox}
    return {
        "messages": len(snapshot.targets),
        "mailboxes": len(mailboxes),
        "events": len(snapshot.events),
    }


def _fitting_messages(
    plan: CasePlan, snapshot: CaseSnapshot, room: int
) -> Iterator[dict[str, Any]]:
    for target in snapshot.targets.values():
        message = _describe_message(target, plan, snapshot)
        room -= _size(message) + len(", ")
        if room < 0:
            return
        yield message


def _describe_message(target: Target, plan: CasePlan, snapshot: CaseSnapshot) -> dict[str, Any]:
    by_action = zip(plan.action_names, snapshot.outcomes, strict=False)
    outcomes = {name: known[target.id] for name, known in by_action if target.id in known}
    fields: dict[str, Any] = to_jsonable_python(target)
    return {**fields, "outcomes": outcomes}


def _bounded(text: str) -> str:
    return bounded(text, _LONGEST_VALUE)


def _size(value: object) -> int:
    return len(json.dumps(value))
