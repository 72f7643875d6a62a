"""Whether what happened is what should have.

The ledger of the simulator and the audit against the expectation. Pure.

The ledger says what took effect, the audit what was recorded; each must agree with the expectation,
and so with the other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clawback.actions import BlockSender, Move, PolicyAction, Reclassify, Release
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.rehearsal.expectation import Expectation, Fate, Work

Row = Mapping[str, Any]
_Recorded = dict[tuple[str, str], dict[str, list[AuditRecord]]]


@dataclass
class Judgement:
    """What is wrong, each a sentence.

    Lost (should have happened, did not), twice (happened too often), else (should not have
    happened).
    """

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.twice or self.unexpected)

    def say(self, count: int, wanted: int, what: str) -> None:
        """Compare how often something happened with how often it should have."""
        if count < wanted:
            self.lost.append(what)
        elif count > wanted:
            (self.twice if wanted else self.unexpected).append(
                f"{what} ({count} times)" if wanted else what
            )


def judge(
    expectation: Expectation, ledger: Iterable[Row], audit: Iterable[AuditRecord]
) -> Judgement:
    """Compare what happened with what should have."""
    verdict, rows, records = Judgement(), list(ledger), list(audit)
    _judge_events(verdict, expectation, records)
    _judge_records(verdict, expectation.work, records)
    _judge_moves(verdict, expectation, rows)
    _judge_releases(verdict, expectation, rows)
    _judge_policies(verdict, expectation, rows)
    _judge_blocks(verdict, expectation, rows)
    _judge_reclassifications(verdict, rows, records)
    for row in rows:
        if row["operation"] not in {"move", "release", "create", "reclassify"}:
            verdict.unexpected.append(f"{row['operation']} of {row['resource']} {row['id']}")
    return verdict


def with_holds(expectation: Expectation, audit: Iterable[AuditRecord]) -> Expectation:
    """Allow for a guard that holds cases.

    What such a case has not done by then should not have been done.
    """
    records = list(audit)
    held = {record.case for record in records if record.kind is RecordKind.HELD}
    acted = {
        (record.case, record.action, record.target)
        for record in records
        if record.kind is RecordKind.ACTED
    }

    def is_held(one: Work) -> bool:
        return one.case in held and not any(
            (one.case, one.action.name, subject) in acted for subject in one.subjects
        )

    work = [replace(one, fate=Fate.HELD) if is_held(one) else one for one in expectation.work]
    return replace(expectation, work=work)


# ---- the audit


def _judge_events(
    verdict: Judgement, expectation: Expectation, records: Sequence[AuditRecord]
) -> None:
    joined = Counter(
        (record.case or "", record.event or "")
        for record in records
        if record.kind is RecordKind.EVENT_JOINED
    )
    for pair in sorted(expectation.joined | set(joined)):
        verdict.say(joined[pair], int(pair in expectation.joined), f"event {pair[1]} in {pair[0]}")


def _judge_records(
    verdict: Judgement, work: Sequence[Work], records: Sequence[AuditRecord]
) -> None:
    acted = _by_action(records, RecordKind.ACTED)
    would = _by_action(records, RecordKind.WOULD_HAVE_ACTED)
    for one in work:
        key, what = (
            (one.case, one.action.name),
            f"the record of {one.action.name} in {one.case} on {_subject(one)}",
        )
        found = _taken(would if one.fate is Fate.SHADOWED else acted, key, one.subjects)
        verdict.say(len(found), 0 if one.fate is Fate.HELD else 1, what)
        verdict.lost += [
            f"{what}: {record.outcome}"
            for record in found
            if not _fits(one.fate, record.outcome or "")
        ]
    for left in (acted, would):
        rest = (
            record
            for by_target in left.values()
            for found in by_target.values()
            for record in found
        )
        verdict.unexpected += [
            f"the record of {record.action} in {record.case} on {record.target}" for record in rest
        ]


def _by_action(records: Sequence[AuditRecord], kind: RecordKind) -> _Recorded:
    found: _Recorded = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record.kind is kind:
            found[record.case or "", record.action or ""][record.target or ""].append(record)
    return found


def _taken(
    recorded: _Recorded, key: tuple[str, str], subjects: frozenset[str]
) -> list[AuditRecord]:
    """Take the records of one piece of work out of all there are."""
    by_target = recorded.get(key, {})
    known = subjects & by_target.keys() if len(subjects) > 1 else subjects
    return [record for subject in known for record in by_target.pop(subject, [])]


def _fits(fate: Fate, outcome: str) -> bool:
    failed = outcome.startswith(("failed", "unknown"))
    return failed if fate is Fate.IMPOSSIBLE else not failed


def _subject(work: Work) -> str:
    return next(iter(work.subjects)) if len(work.subjects) == 1 else f"one of {len(work.subjects)}"


# ---- the ledger


def _judge_moves(verdict: Judgement, expectation: Expectation, rows: Sequence[Row]) -> None:
    wanted = {
        (subject, work.action.destination.value)
        for work in _moves(expectation, Fate.DONE)
        for subject in work.subjects
    }
    found = Counter((row["id"], row["destination"]) for row in rows if row["operation"] == "move")
    for pair in sorted(wanted | set(found)):
        verdict.say(found[pair], int(pair in wanted), f"move of {pair[0]} to {pair[1]}")


def _moves(expectation: Expectation, fate: Fate) -> Iterator[Any]:
    return (
        work for work in expectation.work if work.fate is fate and isinstance(work.action, Move)
    )


def _judge_policies(verdict: Judgement, expectation: Expectation, rows: Sequence[Row]) -> None:
    done = [
        work.action
        for work in expectation.work
        if work.fate is Fate.DONE
        and isinstance(work.action, PolicyAction)
        and not isinstance(work.action, BlockSender)
    ]
    wanted = Counter(
        {
            action.resource.value: len(
                {one.label for one in done if one.resource is action.resource}
            )
            for action in done
        }
    )
    found = Counter(
        row["resource"]
        for row in rows
        if row["operation"] == "create" and row["resource"] != "block_senders"
    )
    for resource in sorted(set(wanted) | set(found)):
        verdict.say(found[resource], wanted[resource], f"creation in {resource}")


def _judge_releases(verdict: Judgement, expectation: Expectation, rows: Sequence[Row]) -> None:
    done = [
        work
        for work in expectation.work
        if work.fate is Fate.DONE and isinstance(work.action, Release)
    ]
    wanted = {subject for work in done for subject in work.subjects}
    found = Counter(row["id"] for row in rows if row["operation"] == "release")
    for message in sorted(wanted | set(found)):
        verdict.say(found[message], int(message in wanted), f"release of {message}")


def _judge_blocks(verdict: Judgement, expectation: Expectation, rows: Sequence[Row]) -> None:
    blocks = [
        work.action
        for work in expectation.work
        if work.fate is Fate.DONE and isinstance(work.action, BlockSender)
    ]
    wanted = {(action.pattern.casefold(), action.kind.value) for action in blocks}
    created = [
        row for row in rows if row["operation"] == "create" and row["resource"] == "block_senders"
    ]
    found = Counter(
        (str(row.get("pattern")).casefold(), str(row.get("pattern_type")).lower())
        for row in created
    )
    for pair in sorted(wanted | set(found)):
        verdict.say(found[pair], int(pair in wanted), f"block of {pair[1]} {pair[0]}")


def _judge_reclassifications(
    verdict: Judgement, rows: Sequence[Row], records: Sequence[AuditRecord]
) -> None:
    """The audit names the message that a case chose.

    The records themselves are held against the expectation above.
    """
    name = Reclassify.model_fields["name"].default
    done = [
        record
        for record in records
        if record.kind is RecordKind.ACTED
        and record.action == name
        and _fits(Fate.DONE, record.outcome or "")
    ]
    wanted = Counter(record.target for record in done)
    found = Counter(row["id"] for row in rows if row["operation"] == "reclassify")
    for message in sorted(set(wanted) | set(found), key=str):
        verdict.say(found[message], wanted[message], f"reclassification of {message}")
