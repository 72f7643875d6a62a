"""The case as one document: what it says, and that it stays small."""

import json
from dataclasses import replace
from datetime import timedelta

from clawback.cases import Case, CaseStart, CaseTiming, Decision
from clawback.cases.case_document import MOST_BYTES, build_case_document
from clawback.model.messages import Target
from clawback.model.mode import Mode
from tests.cases.test_case_notifications import NOW, match, open_case, settle
from tests.people import person


def start_of(case: Case) -> CaseStart:
    """The case as its query answers."""
    return CaseStart(plan=case.plan, timing=CaseTiming(), snapshot=case.snapshot())


def test_a_held_case_has_what_it_proposes() -> None:
    """With the digest that an approval names."""
    case = open_case(mode=Mode.APPROVE)
    case.add_match(match(1, reasons=("from = a@evil.test",)), NOW)
    case.next(NOW)
    document = build_case_document(start_of(case))
    assert (document["state"], document["why"]) == ("held", ["from = a@evil.test"])
    hold = document["hold"]
    assert (hold["proposes"], hold["messages"]) == (["move to JunkEmail"], 1)
    assert hold["digest"] == case.proposal().digest
    assert hold["answer_by"] == (NOW + timedelta(days=7)).isoformat().replace("+00:00", "Z")
    json.dumps(document)


def test_a_message_has_its_outcome_of_each_action() -> None:
    """And what people know it by."""
    case = open_case()
    target = replace(Target(id="m1", at=NOW), subject="Invoice", sender="a@evil.test", spf="fail")
    case.add_match(match(1, targets=(target,)), NOW)
    settle(case)
    document = build_case_document(start_of(case))
    (message,) = document["messages"]
    assert message["subject"] == "Invoice"
    assert message["outcomes"] == {"move": "moved"}
    assert document["actions"][0]["outcomes"] == {"moved": 1}
    assert (document["hold"], document["messages_omitted"]) == (None, 0)


def test_a_decision_names_who_and_why() -> None:
    """Once, also if it was an approval."""
    case = open_case(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    case.next(NOW)
    case.decide(Decision(approved=True, actor=person("ana"), at=NOW, reason="phish"))
    (decision,) = build_case_document(start_of(case))["decisions"]
    assert (decision["approved"], decision["by"], decision["reason"]) == (True, "ana", "phish")


def test_a_large_case_omits_messages_and_counts_them() -> None:
    """Whatever their texts are: each may take six bytes in JSON."""
    case = open_case()
    for number in range(1_000):
        target = replace(Target(id=f"m{number}", at=NOW), subject="\u202e" * 80, sender="é" * 160)
        case.add_match(match(number, targets=(target,)), NOW)
    document = build_case_document(start_of(case))
    size = len(json.dumps(document))
    assert MOST_BYTES - 4_000 < size <= MOST_BYTES
    total = len(case.snapshot().targets)
    assert len(document["messages"]) + document["messages_omitted"] == total
    assert document["totals"]["messages"] == total
    assert document["messages_omitted"] > 100
