"""Compares what happened with what should have happened. Pure.

The simulator's ledger says what took effect, the audit what was recorded. Each must agree with the
expectation, and so with the other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clawback.actions import BlockSender, Move, Reclassify, Release
from clawback.actions.outcomes import MOVED
from clawback.cases.plan import MOVE_WHILE_HELD
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.rehearsal.expectation import (
    Expectation,
    ExpectedAction,
    ExpectedResult,
    block_key,
)

Row = Mapping[str, Any]
_RecordIndex = dict[tuple[str, str], dict[str, list[AuditRecord]]]
"""Records by (case, action), then by target."""
_KNOWN_OPERATIONS = frozenset({"move", "release", "create", "reclassify"})
_BLOCKS = "block_senders"


@dataclass
class Judgement:
    """What went wrong, one sentence each.

    `lost`: should have happened and did not. `twice`: happened too often. `unexpected`: should not
    have happened.
    """

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether there are no problems."""
        return not (self.lost or self.twice or self.unexpected)

    def compare(self, count: int, expected: int, what: str) -> None:
        """Compare how often something happened with how often it should have."""
        if count < expected:
            self.lost.append(what)
        elif count > expected and expected:
            self.twice.append(f"{what} ({count} times)")
        elif count > expected:
            self.unexpected.append(what)


def judge(
    expectation: Expectation, ledger: Iterable[Row], audit: Iterable[AuditRecord]
) -> Judgement:
    """Compare the ledger and the audit with the expectation."""
    judgement, rows, records = Judgement(), list(ledger), list(audit)
    _judge_events(judgement, expectation, records)
    beside = _take_while_held(judgement, expectation, records)
    _judge_records(judgement, expectation.actions, [one for one in records if not _is_beside(one)])
    _judge_moves(judgement, expectation, rows, beside)
    _judge_releases(judgement, expectation, rows)
    _judge_policies(judgement, expectation, rows)
    _judge_blocks(judgement, expectation, rows)
    _judge_reclassifications(judgement, rows, records)
    for row in rows:
        if row["operation"] not in _KNOWN_OPERATIONS:
            judgement.unexpected.append(f"{row['operation']} of {row['resource']} {row['id']}")
    return judgement


def _is_beside(record: AuditRecord) -> bool:
    return record.action == MOVE_WHILE_HELD


def _take_while_held(
    judgement: Judgement, expectation: Expectation, records: Sequence[AuditRecord]
) -> set[tuple[str, str]]:
    """Return the moves, by message and folder, that were recorded of held cases."""
    moved: set[tuple[str, str]] = set()
    seen: set[tuple[str, str]] = set()
    for record in filter(_is_beside, records):
        key = record.case or "", record.target or ""
        what = f"the record of {record.action} in {record.case} on {record.target}"
        destination = expectation.while_held.get(key)
        if destination is None:
            judgement.unexpected.append(what)
        elif key in seen:
            judgement.twice.append(what)
        elif record.outcome == MOVED:
            moved.add((key[1], destination.value))
        seen.add(key)
    return moved


def allow_holds(expectation: Expectation, audit: Iterable[AuditRecord]) -> Expectation:
    """Accept that the guard held cases: what a held case did not do should not have been done."""
    records = list(audit)
    held = {record.case for record in records if record.kind is RecordKind.HELD}
    acted = {
        (record.case, record.action, record.target)
        for record in records
        if record.kind is RecordKind.ACTED
    }

    def is_held(expected: ExpectedAction) -> bool:
        return expected.case in held and not any(
            (expected.case, expected.action.name, subject) in acted for subject in expected.subjects
        )

    actions = [
        replace(expected, result=ExpectedResult.HELD) if is_held(expected) else expected
        for expected in expectation.actions
    ]
    return replace(expectation, actions=actions)


# ---- the audit


def _judge_events(
    judgement: Judgement, expectation: Expectation, records: Sequence[AuditRecord]
) -> None:
    for kind, pairs in (
        (RecordKind.EVENT_COUNTED, expectation.counted),
        (RecordKind.EVENT_JOINED, expectation.joined),
    ):
        # An event may be counted for several rules of one correlation.
        recorded = Counter(
            (record.case or "", record.event or "") for record in records if record.kind is kind
        )
        for pair in sorted(pairs | set(recorded)):
            count = recorded[pair] if kind is RecordKind.EVENT_JOINED else min(recorded[pair], 1)
            judgement.compare(count, int(pair in pairs), f"{kind} {pair[1]} in {pair[0]}")


def _judge_records(
    judgement: Judgement, actions: Sequence[ExpectedAction], records: Sequence[AuditRecord]
) -> None:
    acted = _index_records(records, RecordKind.ACTED)
    would_have = _index_records(records, RecordKind.WOULD_HAVE_ACTED)
    for expected in actions:
        name = expected.action.name
        what = f"the record of {name} in {expected.case} on {_describe_subjects(expected)}"
        index = would_have if expected.result is ExpectedResult.SHADOWED else acted
        found = _pop_records(index, (expected.case, name), expected.subjects)
        judgement.compare(len(found), int(expected.result is not ExpectedResult.HELD), what)
        judgement.lost += [
            f"{what}: {record.outcome}"
            for record in found
            if not _is_consistent(expected.result, record.outcome or "")
        ]

    judgement.unexpected += [
        f"the record of {record.action} in {record.case} on {record.target}"
        for index in (acted, would_have)
        for by_target in index.values()
        for found in by_target.values()
        for record in found
    ]


def _index_records(records: Sequence[AuditRecord], kind: RecordKind) -> _RecordIndex:
    index: _RecordIndex = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record.kind is kind:
            index[record.case or "", record.action or ""][record.target or ""].append(record)
    return index


def _pop_records(
    index: _RecordIndex, key: tuple[str, str], subjects: frozenset[str]
) -> list[AuditRecord]:
    """Remove and return the records of one expected action."""
    by_target = index.get(key, {})
    known = subjects & by_target.keys() if len(subjects) > 1 else subjects
    return [record for subject in known for record in by_target.pop(subject, [])]


def _is_consistent(result: ExpectedResult, outcome: str) -> bool:
    has_failed = outcome.startswith(("failed", "gone", "unknown"))
    return has_failed is (result is ExpectedResult.IMPOSSIBLE)


def _describe_subjects(expected: ExpectedAction) -> str:
    subjects = expected.subjects
    return next(iter(subjects)) if len(subjects) == 1 else f"one of {len(subjects)}"


# ---- the ledger


def _judge_moves(
    judgement: Judgement,
    expectation: Expectation,
    rows: Sequence[Row],
    beside: set[tuple[str, str]],
) -> None:
    # What was moved while its case was held, and then again to the same folder, is moved once.
    expected = beside | {
        (subject, one.action.destination.value)
        for one in expectation.done(Move)
        for subject in one.subjects
    }
    found = Counter((row["id"], row["destination"]) for row in rows if row["operation"] == "move")
    for pair in sorted(expected | set(found)):
        message, destination = pair
        judgement.compare(found[pair], int(pair in expected), f"move of {message} to {destination}")


def _judge_releases(judgement: Judgement, expectation: Expectation, rows: Sequence[Row]) -> None:
    expected = {subject for one in expectation.done(Release) for subject in one.subjects}
    found = Counter(row["id"] for row in rows if row["operation"] == "release")
    for message in sorted(expected | set(found)):
        judgement.compare(found[message], int(message in expected), f"release of {message}")


def _judge_policies(judgement: Judgement, expectation: Expectation, rows: Sequence[Row]) -> None:
    policies = {
        (one.action.resource.value, one.action.label) for one in expectation.done_policies()
    }
    expected = Counter(resource for resource, _ in policies)
    found = Counter(
        row["resource"]
        for row in rows
        if row["operation"] == "create" and row["resource"] != _BLOCKS
    )
    for resource in sorted(set(expected) | set(found)):
        judgement.compare(found[resource], expected[resource], f"creation in {resource}")


def _judge_blocks(judgement: Judgement, expectation: Expectation, rows: Sequence[Row]) -> None:
    expected = {block_key(one.action) for one in expectation.done(BlockSender)}
    found = Counter(
        (str(row.get("pattern")).casefold(), str(row.get("pattern_type")).lower())
        for row in rows
        if row["operation"] == "create" and row["resource"] == _BLOCKS
    )
    for pair in sorted(expected | set(found)):
        pattern, kind = pair
        judgement.compare(found[pair], int(pair in expected), f"block of {kind} {pattern}")


def _judge_reclassifications(
    judgement: Judgement, rows: Sequence[Row], records: Sequence[AuditRecord]
) -> None:
    """Compare ledger and audit with each other: which message a case chooses is not expected.

    `_judge_records` compares the audit with the expectation.
    """
    name = Reclassify.model_fields["name"].default
    expected = Counter(
        record.target
        for record in records
        if record.kind is RecordKind.ACTED
        and record.action == name
        and _is_consistent(ExpectedResult.DONE, record.outcome or "")
    )
    found = Counter(row["id"] for row in rows if row["operation"] == "reclassify")
    for message in sorted(set(expected) | set(found), key=str):
        judgement.compare(found[message], expected[message], f"reclassification of {message}")
