"""The judge of a rehearsal.

What should happen is worked out right, and whatever goes wrong is found.
"""

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.rehearsal import Expectation, Judgement, expect, judge
from clawback.rules import load_rules
from clawback.simulator import Line, parse_line

RULES = load_rules(Path(__file__).parents[2] / "rules")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def message(
    identity: str, disposition: str, *, hours: float = 0, sender: str = "a@x.test", **fields: Any
) -> Line:
    """One corpus line; `hours` is how long ago it was scanned."""
    at = (NOW - timedelta(hours=hours)).isoformat()
    record = {
        "id": identity,
        "postfix_id": f"p-{identity}",
        "final_disposition": disposition,
        "scanned_at": at,
        "from": sender,
        **fields,
    }
    return parse_line({"message": record, "detections": {}})


def expected(*lines: Line) -> Expectation:
    """What the shipped rules should make of some lines."""
    return expect(lines, RULES, NOW)


def fates(expectation: Expectation) -> list[tuple[str, str, str]]:
    """Rule, action and fate of each piece of work."""
    return sorted((work.rule, work.action.name, work.fate.value) for work in expectation.work)


def test_each_message_of_a_campaign_is_moved_and_the_case_reclassified_once() -> None:
    """Two messages of one body are one case: two moves, one reclassification."""
    found = expected(
        message("m1", "MALICIOUS-BEC", edf_hash="h"),
        message("m2", "MALICIOUS-BEC", edf_hash="h", hours=30),
    )
    assert fates(found) == [
        ("quarantine_bec", "move", "done"),
        ("quarantine_bec", "move", "done"),
        ("quarantine_bec", "reclassify", "done"),
    ]
    assert found.effects == 3
    assert found.matched == {"quarantine_bec": 2, "block_repeat_sender": 2}


@pytest.mark.parametrize(
    ("hours", "blocked"),
    [((0, 12, 24), True), ((0, 12, 24.01), False), ((0, 0, 0), True), ((0, 13, 26, 39), False)],
)
def test_a_window_is_closed_at_both_ends_and_slides(
    hours: tuple[float, ...], *, blocked: bool
) -> None:
    """Three within exactly a day fire the correlation, three spread wider do not, in whatever order they are."""
    lines = [message(f"m{number}", "MALICIOUS", hours=ago) for number, ago in enumerate(hours)]
    for order in (lines, lines[::-1]):
        assert (
            ("block_repeat_sender", "block_sender", "done") in fates(expected(*order))
        ) is blocked


@pytest.mark.parametrize(
    ("sender", "fate"),
    [("a@cloudflare.com", "impossible"), ("no-domain", "impossible"), ("a@x.test", "done")],
)
def test_a_sender_that_cannot_be_blocked_is_expected_to_fail(sender: str, fate: str) -> None:
    """A sender of the never-block list, and one that is no address, should end as a recorded failure."""
    found = fates(
        expected(*(message(f"m{number}", "MALICIOUS", sender=sender) for number in range(3)))
    )
    assert found == [("block_repeat_sender", "block_sender", fate)]


def test_shadow_rules_should_only_say_what_they_would_do() -> None:
    """A rule in shadow mode expects records and no effects."""
    lines = [
        message(f"m{number}", "SPOOF", htmltext_structure_hash="s", edf_hash=str(number))
        for number in range(10)
    ]
    found = expected(*lines)
    assert set(fates(found)) == {("junk_spoof_campaign", "move", "shadowed")}
    assert found.effects == 0


def test_mail_that_is_not_ours_is_left_out() -> None:
    """Delivery modes of safety.yml, and messages beyond an age limit, should match nothing."""
    assert not expected(
        message("m1", "MALICIOUS-BEC", delivery_mode="SIMULATION_SUBMISSION")
    ).joined
    old = message("m1", "MALICIOUS-BEC", hours=80)
    assert not expect([old], RULES, NOW, timedelta(hours=72)).joined
    assert expect([old], RULES, NOW, None).joined


def test_a_report_is_joined_to_its_message_and_its_copies() -> None:
    """A confirmed report of a missed message should move that message and its other copies."""
    first, second = (
        message(name, "NONE", postfix_id="p", client_recipients=[f"{name}@corp.example"])
        for name in ("m1", "m2")
    )
    report = parse_line(
        {
            "report": {
                "id": 7,
                "disposition": "MALICIOUS",
                "created_at": NOW.isoformat(),
                "fields": {"postfix_id": "p", "to": []},
            }
        }
    )
    work = expected(first, second, report).work
    assert sorted(
        subject for one in work if one.action.name == "move" for subject in one.subjects
    ) == ["m1", "m2"]


# ---- the judge


def acted_out() -> tuple[Expectation, list[dict[str, Any]], list[AuditRecord]]:
    """An expectation with a move, a reclassification and a block, and a perfect run of it."""
    lines = [message(f"m{number}", "MALICIOUS-BEC", edf_hash="h") for number in range(3)]
    found = expected(*lines)
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
            "pattern": "A@x.test",
            "pattern_type": "EMAIL",
        },
    ]
    records = [
        one(RecordKind.EVENT_JOINED, number, case=case, event=event)
        for number, (case, event) in enumerate(sorted(found.joined))
    ]
    for work in found.work:
        target = "m0" if work.action.name == "reclassify" else next(iter(work.subjects))
        records.append(
            one(
                RecordKind.ACTED,
                len(records),
                case=work.case,
                action=work.action.name,
                target=target,
                outcome="moved",
            )
        )
    return found, moves + other, records


def one(kind: RecordKind, number: int, **fields: str) -> AuditRecord:
    """One record."""
    return AuditRecord(id=str(number), at=NOW, kind=kind, **fields)


def test_a_perfect_run_is_clean() -> None:
    """Where all happened once and nothing else did, nothing is wrong."""
    assert judge(*acted_out()) == Judgement()


Rows: TypeAlias = list[dict[str, Any]]
Records: TypeAlias = list[AuditRecord]
FOREIGN = one(RecordKind.ACTED, 99, case="case/other", action="move", target="m9", outcome="moved")


@pytest.mark.parametrize(
    ("spoil", "where"),
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
        (lambda _, records: records.append(FOREIGN), "unexpected"),
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
def test_whatever_goes_wrong_is_found(spoil: Callable[[Rows, Records], object], where: str) -> None:
    """A missing, repeated or foreign effect or record is reported under the right name."""
    found, rows, records = acted_out()
    spoiled_rows, spoiled_records = copy.copy(rows), copy.copy(records)
    spoil(spoiled_rows, spoiled_records)
    verdict = judge(found, spoiled_rows, spoiled_records)
    assert not verdict.clean
    assert getattr(verdict, where)
