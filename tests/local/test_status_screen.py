"""The status screen of `clawback up`: what it reads, and what it shows."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from rich.console import Console
from temporalio.client import Client

from clawback.audit import Tail
from clawback.local import RuleCounts, Status, format_status_line, render_status
from clawback.local.status import ProcessStatus, WorkerMetrics
from clawback.local.status_collector import StatusCollector, parse_worker_metrics
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.telemetry import ApiMetrics, metrics
from clawback.temporal import names
from tests.waiting import eventually
from tests.workflows.deployment import deployed
from tests.workflows.test_case import simulated

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def record(identity: str, kind: RecordKind = RecordKind.ACTED, **fields: str) -> AuditRecord:
    """Build a record of the rule `bec`."""
    return AuditRecord(id=identity, at=NOON, kind=kind, rule="bec", **fields)


def status(**changes: object) -> Status:
    """Build a status with a value in every field."""
    known: dict[str, object] = {
        "uptime": timedelta(minutes=3),
        "metrics": WorkerMetrics(
            requests=42,
            unanswered=1,
            refused=2,
            remaining=1100,
            poll_ages={"message": timedelta(seconds=4)},
        ),
        "pollers": (
            PollerStatus(
                source=EventKind.MESSAGE, state="polling", cursor=NOON, seen=1234, rejected=5
            ),
        ),
        "cases": {"settled": 3, "held": 1, "responding": 0},
        "rule_counts": {"bec": RuleCounts(matched=7, acted=6, failed=1)},
        "recent": (record("r1", action="move", outcome="failed:not_found", target="m1"),),
        "processes": (ProcessStatus("worker", "restarting", 2),),
    }
    return Status(**{**known, **changes})  # type: ignore[arg-type]


def drawn(shown: Status, width: int = 120) -> str:
    """Render a status as a terminal would."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(
        render_status(shown, "against the simulator", {"metrics": "http://127.0.0.1:9464/metrics"})
    )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_live_view_shows_everything() -> None:
    """Events, cases, API, processes with restarts, rules, last outcomes and locations."""
    said = drawn(status())
    for words in (
        "1,234 seen, 5 rejected",
        "message 4 s ago",
        "3 settled, 1 held",
        "42 requests, 2 refused, 1 unanswered, 1,100 left",
    ):
        assert words in said
    for words in (
        "worker (2 restarts)",
        "move failed:not_found m1",
        "http://127.0.0.1:9464/metrics",
        "against the simulator",
    ):
        assert words in said
    assert "responding" not in said


def test_a_poller_with_a_problem_shows_it_instead_of_its_age() -> None:
    """In the row of the last poll."""
    troubled = PollerStatus(
        source=EventKind.MESSAGE, state="degraded", cursor=NOON, detail="the token was refused"
    )
    assert "message: degraded the token was refused" in drawn(status(pollers=(troubled,)))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_live_view_fits_any_terminal(width: int) -> None:
    """No line is longer than the terminal is wide."""
    assert max(map(len, drawn(status(), width).splitlines())) <= width


def test_the_line_for_logs_is_one_line() -> None:
    """With the same figures; it names processes only if they are not running."""
    said = format_status_line(status())
    assert "\n" not in said
    assert "seen 1234 · matched 7 acted 6 would 0 failed 1 · cases 3 settled, 1 held" in said
    assert "worker restarting" in said
    assert "worker" not in format_status_line(
        status(processes=(ProcessStatus("worker", "running", 2),))
    )


def test_a_status_without_values_can_be_shown() -> None:
    """As at the start, before any source has responded."""
    empty = status(metrics=None, pollers=(), cases={}, rule_counts={}, recent=(), processes=())
    assert "the worker does not respond" in format_status_line(empty)
    assert "Nothing has happened yet." in drawn(empty)


def test_the_kill_switch_is_shown_as_long_as_it_is_on() -> None:
    """Read from the worker's metrics and shown in both forms."""
    stopped_before = metrics.CONTAINMENT_STOPPED._value.get()
    try:
        for on in (True, False):
            metrics.CONTAINMENT_STOPPED.set(on)
            worker = parse_worker_metrics(generate_latest(metrics.REGISTRY).decode())
            shown = status(metrics=worker)
            assert worker.is_stopped is on
            assert ("STOPPED" in drawn(shown), "STOPPED" in format_status_line(shown)) == (on, on)
    finally:
        metrics.CONTAINMENT_STOPPED.set(stopped_before)


def test_numbers_come_from_a_page_of_metrics() -> None:
    """Statuses that are no numbers count as unanswered."""
    before = parse_worker_metrics(generate_latest(metrics.REGISTRY).decode())
    for code in (200, 429, 503):
        ApiMetrics().record_response("investigate.console", code, 0.1)
    ApiMetrics().record_failure("investigate.console", "ReadTimeout", 3)
    metrics.API_RATE_LIMIT_REMAINING.set(77)
    after = parse_worker_metrics(generate_latest(metrics.REGISTRY).decode())
    assert (
        after.requests - before.requests,
        after.refused - before.refused,
        after.unanswered - before.unanswered,
    ) == (4, 2, 1)
    assert after.remaining == 77


@pytest.mark.parametrize(
    ("kind", "outcome", "tally"),
    [
        (RecordKind.EVENT_JOINED, None, RuleCounts(matched=1)),
        (RecordKind.WOULD_HAVE_ACTED, None, RuleCounts(would=1)),
        (RecordKind.ACTED, "moved", RuleCounts(acted=1)),
        (RecordKind.ACTED, "already_there", RuleCounts(acted=1)),
        (RecordKind.ACTED, "failed:not_found", RuleCounts(failed=1)),
        (RecordKind.ACTED, "unknown", RuleCounts(failed=1)),
        (RecordKind.CASE_CLOSED, None, RuleCounts()),
    ],
)
def test_each_kind_of_record_counts_for_its_rule(
    kind: RecordKind, outcome: str | None, tally: RuleCounts
) -> None:
    """A record adds to exactly one count, or none."""
    counted = RuleCounts()
    counted.count(AuditRecord(id="a", at=NOON, kind=kind, outcome=outcome))
    assert counted == tally


async def test_a_poller_that_does_not_answer_hides_no_other(
    temporal: Client, tmp_path: Path
) -> None:
    """The screen goes on, and shows what the others say."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await temporal.start_workflow(
            names.POLLER,
            "no poller",
            id=names.poller_id(EventKind.MESSAGE),
            task_queue=names.WORKFLOW_QUEUE,
        )
        await deployment.poll(EventKind.SUBMISSION)
        collector = StatusCollector(
            temporal, "http://127.0.0.1:1/metrics", Tail(tmp_path / "audit"), ()
        )

        async def are_shown() -> bool | None:
            shown = await collector.collect()
            return [one.source for one in shown.pollers] == [EventKind.SUBMISSION] or None

        await eventually(are_shown)
