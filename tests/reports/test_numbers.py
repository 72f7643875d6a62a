"""The numbers of a report, from cases and audits with known answers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clawback.audit import AuditLog
from clawback.cases.state import ActionSummary
from clawback.cases.summary import CaseSummary, DecisionNote
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.reports.audit_facts import AuditFacts, read_audit_facts
from clawback.reports.case_numbers import CountedCases, CountedLine, decisions_in
from clawback.reports.numbers import DEFINITIONS, Evidence, RequestsUsed, build_report, percentile
from clawback.reports.report import Report, format_seconds
from clawback.reports.report_page import write_report_page
from clawback.temporal.case_entries import CaseLine

SINCE = datetime(2026, 11, 22, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=7)
AT = SINCE + timedelta(hours=1)
HASH = "0123456789abcde"


def decided(what: str, after: timedelta, *by: str) -> dict[str, Any]:
    """The fields of a case that was held and decided."""
    return {"held_at": AT, "decision": DecisionNote(what=what, by=by, at=AT + after)}


def line(
    number: int, state: str, rule: str = "r", part: int = 1, opened: datetime = AT, **about: Any
) -> CountedLine:
    """A case in the index, with a summary."""
    id_ = f"case/{rule}/{HASH}{number}" + (f"/{part}" if part > 1 else "")
    summary = CaseSummary(rule=rule, **{"messages": 10, **about})
    listed = CaseLine(
        id=id_,
        run=f"run-{number}-{part}",
        rule=rule,
        state=state,
        mode="enforce",
        opened_at=opened,
        summary=summary,
    )
    return CountedLine.of(listed)


def acted(action: str, **outcomes: int) -> ActionSummary:
    """What an action did."""
    return ActionSummary(action=action, outcomes=outcomes)


def report(
    lines: list[CountedLine], undos: Mapping[str, datetime] | None = None, **evidence: Any
) -> Report:
    """The report of some cases."""
    counted = CountedCases.of(lines, undos or {}, decisions_in(lines, SINCE, UNTIL))
    found = Evidence(since=SINCE, until=UNTIL, cases=counted, **evidence)
    return build_report(found, UNTIL)


def values(found: Report, *names: str) -> list[float | None]:
    """Some numbers by name."""
    return [found.number(name).value for name in names]


def test_cases_are_counted_by_what_became_of_them() -> None:
    """Held, answered, waiting, approved, denied, expired, undone: each case once."""
    minute = timedelta(minutes=1)
    moved = (acted("move", moved=10),)
    lines = [
        line(1, "settled", outcomes=moved),
        line(2, "settled", outcomes=moved, **decided("approved", minute, "ana", "ben")),
        line(3, "denied", **decided("denied", 3 * minute, "ana")),
        line(4, "held", held_at=AT),
        line(5, "expired", held_at=AT, outcomes=(acted("move_while_held", moved=4),)),
        line(6, "closed", outcomes=moved),
    ]
    undos = {lines[5].id: AT + minute, lines[0].id: AT - minute}
    found = report(lines, undos)

    assert values(found, "cases_opened", "cases_held", "cases_answered", "cases_waiting") == [
        *(6, 4, 2, 1)
    ]
    assert values(found, "cases_approved", "cases_denied", "cases_expired", "cases_undone") == [
        *(1, 1, 1, 1)
    ]
    assert values(found, "messages_contained", "time_to_answer_median") == [34, 120]
    (rule,) = found.rules
    assert (rule.decided, rule.right, rule.precision) == (4, 2, 0.5)
    assert [(one.person, one.approved, one.denied) for one in found.people] == [
        ("ana", 1, 1),
        ("ben", 1, 0),
    ]


def test_decisions_count_in_the_period_in_which_they_are_made() -> None:
    """Also of a case that opened before; not those that came later."""
    hour, week = timedelta(hours=1), timedelta(days=7)
    lines = [
        line(1, "settled", opened=SINCE - week, **decided("approved", hour, "ana")),
        line(2, "denied", opened=SINCE - week, **decided("denied", hour, "ben")),
        line(3, "denied", **decided("denied", week, "ben")),
        line(3, "denied", part=2, **decided("denied", hour, "ben")),
    ]
    counted = CountedCases.of(lines[2:], {}, decisions_in(lines, SINCE, UNTIL))
    found = build_report(Evidence(since=SINCE, until=UNTIL, cases=counted), UNTIL)

    assert values(found, "cases_opened", "cases_denied", "cases_decided") == [1, 1, 2]
    assert [(one.person, one.approved, one.denied) for one in found.people] == [
        ("ana", 1, 0),
        ("ben", 0, 1),
    ]


def test_the_parts_of_a_campaign_are_one_case() -> None:
    """Their messages are added; what a message moved while it was held counts once."""
    both = (acted("move_while_held", moved=8), acted("move", moved=10))
    lines = [
        line(1, "settled", campaign="c", outcomes=both),
        line(1, "settled", part=2, campaign="c", outcomes=(acted("move", moved=7, unknown=1),)),
    ]
    found = report(lines)
    assert values(found, "cases_opened", "messages_contained") == [1, 18]


def test_what_nobody_knows_is_unknown_with_a_reason() -> None:
    """Without an audit, a worker or a case; and what Cloudflare does not tell."""
    found = report([])
    unknown = {one.name: one.note for one in found.numbers if one.value is None}
    assert set(unknown) == {
        "time_to_containment_median",
        "time_to_containment_p90",
        "messages_moved",
        "messages_read_before",
        "time_to_answer_median",
        "notifications_failed",
        "requests_used",
    }
    assert all(unknown.values())
    assert {one.text for one in found.numbers if one.value is None} == {"unknown"}


def test_the_audit_tells_how_long_containment_took(tmp_path: Path) -> None:
    """Of messages that were moved in the period, each once; and which notifications failed."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    times = [timedelta(seconds=seconds) for seconds in range(1, 11)]
    moved = [record(n, outcome="moved", arrived_at=AT - took) for n, took in enumerate(times)]
    others = [
        record(20, outcome="moved"),
        record(21, outcome="failed:gone", arrived_at=AT),
        record(22, action="block_sender", outcome="blocked"),
        record(23, at=SINCE - timedelta(days=1), outcome="moved", arrived_at=AT),
        record(24, kind=RecordKind.NOTIFIED, action="notify", outcome="notified"),
        record(25, kind=RecordKind.NOTIFIED, action="notify", outcome="failed:refused"),
    ]
    log.append([*moved, *others, moved[0]])

    facts = read_audit_facts(path, SINCE, UNTIL)
    assert facts is not None
    assert sorted(facts.delays) == [float(n) for n in range(1, 11)]
    assert (facts.undated, facts.notified, facts.notifications_failed) == (1, 2, 1)
    found = report([], audit=facts)
    assert values(found, "time_to_containment_median", "time_to_containment_p90") == [5.5, 9.0]
    assert found.number("time_to_containment_p90").count == 10
    assert "1 message no arrival" in found.number("time_to_containment_p90").note
    assert read_audit_facts(tmp_path / "none.jsonl", SINCE, UNTIL) is None


def record(number: int, **fields: Any) -> AuditRecord:
    """A record of a move."""
    defaults = {"id": f"r{number}", "at": AT, "kind": RecordKind.ACTED, "action": "move"}
    return AuditRecord(**{**defaults, "target": f"m{number}", **fields})


def test_an_audit_that_begins_later_is_noted() -> None:
    """Otherwise a short audit would look like fast containment."""
    late = AuditFacts(delays=[1.0], begins_at=SINCE + timedelta(days=3))
    (note,) = report([], audit=late).notes
    assert note == "the audit on this machine begins at 2026-11-25 00:00 UTC"
    assert report([], audit=AuditFacts(delays=[1.0], begins_at=SINCE)).notes == ()


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(0, 0.9, None), (1, 0.9, 0), (10, 0.9, 8), (11, 0.9, 9), (100, 0.5, 49), (3, 1.0, 2)],
)
def test_a_percentile_is_a_value_that_occurred(
    count: int, share: float, expected: float | None
) -> None:
    """The nearest rank: that share of all values is not larger."""
    assert percentile(range(count, 0, -1), share) == (None if expected is None else expected + 1)


def test_the_json_document_fits_its_schema() -> None:
    """That of the model; and every number is there, in the documented order."""
    used = RequestsUsed(7, SINCE)
    found = report([line(1, "held", rule="a<b", held_at=AT)], requests=used)
    data: dict[str, Any] = found.as_json()
    jsonschema.validate(data, Report.model_json_schema())
    assert Report.model_validate(data) == found
    assert [one["name"] for one in data["numbers"]] == list(DEFINITIONS)
    assert data["rules"][0]["precision"] is None


def test_the_page_escapes_and_loads_nothing() -> None:
    """Names of rules and people come from files and identity providers."""
    hostile = "<script>alert(1)<script>"
    lines = [line(1, "denied", rule=hostile, **decided("denied", timedelta(), f"{hostile}\x1b"))]
    page = write_report_page(report(lines))
    assert hostile not in page
    assert page.count("&lt;script&gt;") == 4
    assert "\x1b" not in page
    assert not any(word in page for word in ("<script", "http:", "https:", "src=", "url("))


def test_durations_are_short() -> None:
    """At most two units."""
    texts = {0.42: "0.4s", 12: "12s", 200: "3m 20s", 3600: "1h", 18_125: "5h 2m", 273_600: "3d 4h"}
    assert {seconds: format_seconds(seconds) for seconds in texts} == texts
