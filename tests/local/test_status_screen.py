"""The display of `clawback up`.

What it learns from a page and a file, and what a person then reads.
"""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from rich.console import Console

from clawback.audit import AuditLog, Tail
from clawback.local import RuleCounts, Status, live_view, plain_line
from clawback.local.status import Health, Numbers
from clawback.local.status_collector import read_numbers
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.telemetry import ApiMetrics, metrics

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def record(identity: str, kind: RecordKind = RecordKind.ACTED, **fields: str) -> AuditRecord:
    """One record of the rule `bec`."""
    return AuditRecord(id=identity, at=NOON, kind=kind, rule="bec", **fields)


def status(**changes: object) -> Status:
    """A status with something of everything."""
    known: dict[str, object] = {
        "up_for": timedelta(minutes=3),
        "numbers": Numbers(
            requests=42,
            unanswered=1,
            refused=2,
            left=1100,
            poll_ages={"message": timedelta(seconds=4)},
        ),
        "pollers": (
            PollerStatus(
                source=EventKind.MESSAGE, state="polling", cursor=NOON, seen=1234, rejected=5
            ),
        ),
        "cases": {"watching": 3, "held": 1, "responding": 0},
        "tallies": {"bec": RuleCounts(matched=7, acted=6, failed=1)},
        "recent": (record("r1", action="move", outcome="failed:not_found", target="m1"),),
        "children": (Health("worker", "restarting", 2),),
    }
    return Status(**{**known, **changes})  # type: ignore[arg-type]


def drawn(shown: Status, width: int = 120) -> str:
    """What a terminal would show."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(
        live_view(shown, "against the simulator", {"metrics": "http://127.0.0.1:9464/metrics"})
    )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_live_view_says_what_matters() -> None:
    """Events, cases, the API, troubled processes, each rule, the last outcomes, and where to look are all there."""
    said = drawn(status())
    for words in (
        "1,234 seen, 5 rejected",
        "message 4 s ago",
        "3 watching, 1 held",
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


def test_a_poller_in_trouble_is_said_instead_of_its_age() -> None:
    """A poller that is paused or in trouble says so in the place of the last poll."""
    troubled = PollerStatus(
        source=EventKind.MESSAGE, state="degraded", cursor=NOON, detail="the token was refused"
    )
    assert "message: degraded the token was refused" in drawn(status(pollers=(troubled,)))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_live_view_fits_any_terminal(width: int) -> None:
    """No line is longer than the terminal is wide."""
    assert max(map(len, drawn(status(), width).splitlines())) <= width


def test_the_line_for_logs_is_one_line() -> None:
    """The plain form is one line with the same figures, and names processes only when they do not run."""
    said = plain_line(status())
    assert "\n" not in said
    assert "seen 1234 · matched 7 acted 6 would 0 failed 1 · cases 3 watching, 1 held" in said
    assert "worker restarting" in said
    assert "worker" not in plain_line(status(children=(Health("worker", "running", 2),)))


def test_nothing_known_yet_can_be_shown() -> None:
    """Before anything is learnt there is still a display."""
    empty = status(numbers=None, pollers=(), cases={}, tallies={}, recent=(), children=())
    assert "the worker does not answer" in plain_line(empty)
    assert "Nothing has happened yet." in drawn(empty)


def test_the_kill_switch_is_shown_as_long_as_it_is_on() -> None:
    """Read from the worker's metrics; said in both forms, and only then."""
    stopped_before = metrics.CONTAINMENT_STOPPED._value.get()
    try:
        for on in (True, False):
            metrics.CONTAINMENT_STOPPED.set(on)
            numbers = read_numbers(generate_latest(metrics.REGISTRY).decode())
            shown = status(numbers=numbers)
            assert numbers.stopped is on
            assert ("STOPPED" in drawn(shown), "STOPPED" in plain_line(shown)) == (on, on)
    finally:
        metrics.CONTAINMENT_STOPPED.set(stopped_before)


def test_numbers_come_from_a_page_of_metrics() -> None:
    """A page as the worker serves it is read into figures.

    Statuses that are words count as unanswered.
    """
    before = read_numbers(generate_latest(metrics.REGISTRY).decode())
    for code in (200, 429, 503):
        ApiMetrics().record_response("investigate.console", code, 0.1)
    ApiMetrics().record_failure("investigate.console", "ReadTimeout", 3)
    metrics.API_RATE_LIMIT_REMAINING.set(77)
    after = read_numbers(generate_latest(metrics.REGISTRY).decode())
    assert (
        after.requests - before.requests,
        after.refused - before.refused,
        after.unanswered - before.unanswered,
    ) == (4, 2, 1)
    assert after.left == 77


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
    """A record adds to exactly the figure it belongs to."""
    counted = RuleCounts()
    counted.count(AuditRecord(id="a", at=NOON, kind=kind, outcome=outcome))
    assert counted == tally


def test_the_tail_gives_each_record_once_and_follows_a_rotation(tmp_path: Path) -> None:
    """Records written after the tail was made come once, also from the file that replaces a rotated one; unfinished lines wait."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, max_bytes=2000)
    log.append([record("before")])
    tail = Tail(path)
    assert tail.read() == []
    log.append([record("a"), record("b")])
    assert [found.id for found in tail.read()] == ["a", "b"]
    log.append([record("c")])
    assert path.with_name("audit.jsonl.000000000003").exists()
    assert [found.id for found in tail.read()] == ["c"]
    with path.open("ab") as file:
        file.write(b'{"unfinished')
    assert tail.read() == []
