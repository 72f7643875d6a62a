"""The judge finds whatever goes wrong, in the ledger and in the audit."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from clawback.actions import BlockSender
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.rehearsal import Expectation, Judgement, build_expectation, judge
from clawback.rules import load_rules
from tests.rehearsal.samples import NOW, expect, message
from tests.rules.folders import PLAIN, write


def perfect_run() -> tuple[Expectation, list[dict[str, Any]], list[AuditRecord]]:
    """An expectation with all kinds of changes, and the ledger and audit that meet it."""
    lines = [message(f"m{number}", "MALICIOUS-BEC", edf_hash="h") for number in range(3)]
    # Two campaigns more that Cloudflare itself quarantined: with them, the sender is blocked.
    lines += [
        message(f"q{number}", "MALICIOUS", edf_hash=f"q{number}", is_quarantined=True)
        for number in range(2)
    ]
    found = expect(*lines)
    (block,) = found.done(BlockSender)
    moves = [
        {
            "operation": "move",
            "resource": "message",
            "id": f"m{number}",
            "destination": "RecoverableItemsDeletions",
        }
        for number in range(3)
    ]
    other = [
        {"operation": "reclassify", "resource": "message", "id": "m0"},
        {
            "operation": "create",
            "resource": "block_senders",
            "id": "1",
            "pattern": block.action.fields["pattern"].upper(),
            "pattern_type": "EMAIL",
        },
    ]
    records = [
        build_record(RecordKind.EVENT_JOINED, number, case=case, event=event)
        for number, (case, event) in enumerate(sorted(found.joined))
    ]
    records += [
        build_record(RecordKind.EVENT_COUNTED, len(records) + number, case=case, event=event)
        for number, (case, event) in enumerate(sorted(found.counted))
    ]
    for expected in found.actions:
        target = "m0" if expected.action.name == "reclassify" else next(iter(expected.subjects))
        records.append(
            build_record(
                RecordKind.ACTED,
                len(records),
                case=expected.case,
                action=expected.action.name,
                target=target,
                outcome="moved",
            )
        )
    return found, moves + other, records


def build_record(kind: RecordKind, number: int, **fields: str) -> AuditRecord:
    return AuditRecord(id=str(number), at=NOW, kind=kind, **fields)


def test_a_perfect_run_is_clean() -> None:
    """Everything happened once, and nothing else."""
    assert judge(*perfect_run()) == Judgement()


Rows: TypeAlias = list[dict[str, Any]]
Records: TypeAlias = list[AuditRecord]
UNEXPECTED = build_record(
    RecordKind.ACTED, 99, case="case/other", action="move", target="m9", outcome="moved"
)


@pytest.mark.parametrize(
    ("spoil", "category"),
    [
        (lambda rows, _: rows.pop(0), "lost"),
        (lambda rows, _: rows.pop(3), "lost"),
        (lambda rows, _: rows.pop(4), "lost"),
        (lambda rows, _: rows.append(rows[0]), "twice"),
        (lambda rows, _: rows.append(rows[3]), "twice"),
        (lambda rows, _: rows.append(rows[4]), "twice"),
        (lambda rows, _: rows.append({**rows[0], "id": "m9"}), "unexpected"),
        (lambda rows, _: rows.append({**rows[0], "destination": "Inbox"}), "unexpected"),
        (lambda rows, _: rows.append({**rows[4], "pattern": "b@x.test"}), "unexpected"),
        (
            lambda rows, _: rows.append(
                {"operation": "delete", "resource": "block_senders", "id": "1"}
            ),
            "unexpected",
        ),
        (lambda _, records: records.pop(0), "lost"),
        (lambda _, records: records.append(records[0].model_copy(update={"id": "99"})), "twice"),
        (lambda _, records: records.pop(-1), "lost"),
        (lambda _, records: records.append(records[-1].model_copy(update={"id": "99"})), "twice"),
        (lambda _, records: records.append(UNEXPECTED), "unexpected"),
        (
            lambda _, records: records.append(
                records.pop(-1).model_copy(update={"outcome": "failed:timeout"})
            ),
            "lost",
        ),
        (
            lambda _, records: records.append(
                records.pop(-1).model_copy(update={"outcome": "unknown"})
            ),
            "lost",
        ),
    ],
)
def test_every_kind_of_problem_is_found(
    spoil: Callable[[Rows, Records], object], category: str
) -> None:
    """A missing, repeated or unexpected change or record is reported in its category."""
    found, rows, records = perfect_run()
    spoiled_rows, spoiled_records = copy.copy(rows), copy.copy(records)
    spoil(spoiled_rows, spoiled_records)
    judgement = judge(found, spoiled_rows, spoiled_records)
    assert not judgement.is_clean
    assert getattr(judgement, category)


def held_run(tmp_path: Path) -> tuple[Expectation, Rows, Records]:
    """A held case that has moved its message aside, and the ledger and audit of that."""
    text = PLAIN.replace("mode: enforce", "mode: approve").replace(
        "    - move: {destination: JunkEmail}",
        "    - move: {destination: RecoverableItemsDeletions}\n"
        "  while-held: {move: {destination: JunkEmail}}",
    )
    rules = load_rules(write(tmp_path, {"a_rule.yml": text}))
    found = build_expectation([message("m1", "SPAM", sender="a@x.test")], rules, NOW)
    ((case, event),) = found.joined
    records = [
        build_record(RecordKind.EVENT_JOINED, 1, case=case, event=event),
        build_record(
            RecordKind.ACTED,
            2,
            case=case,
            action="move_while_held",
            target="m1",
            outcome="moved",
        ),
    ]
    row = {"operation": "move", "resource": "message", "id": "m1", "destination": "JunkEmail"}
    return found, [row], records


def test_what_a_held_case_moves_aside_is_in_order(tmp_path: Path) -> None:
    """It may, once, and need not."""
    found, rows, records = held_run(tmp_path)
    assert judge(found, rows, records).is_clean
    assert judge(found, [], records[:1]).is_clean
    assert judge(found, [], records).lost
    assert judge(found, rows, records[:1]).unexpected
    assert judge(found, [*rows, *rows], records).twice
    assert judge(found, rows, [*records, records[1]]).twice


def test_what_a_case_may_not_move_aside_is_unexpected(tmp_path: Path) -> None:
    """The rule has no `while-held`, or the message is none of the case."""
    found, rows, records = held_run(tmp_path)
    assert judge(replace(found, while_held={}), rows, records).unexpected
