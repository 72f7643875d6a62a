"""Counters over restarts, and lines of a file that grows."""

from pathlib import Path

from clawback.rehearsal.progress import CounterSums, LineCounter, Progress


def test_counters_are_summed_over_processes_and_restarts() -> None:
    """A value below the last one means that the process started again at zero."""
    sums = CounterSums()
    for process, value in (("a", 3.0), ("b", 2.0), ("a", 5.0), ("a", 1.0)):
        sums.update(process, {"x_total": value})
    sums.update("b", {})
    assert sums.totals == {"x_total": 8.0}


def test_lines_are_counted_across_a_rotation(tmp_path: Path) -> None:
    """A new, shorter file goes on with the count."""
    path = tmp_path / "audit.jsonl"
    counter = LineCounter(path)
    assert counter.count() == 0
    path.write_text("1\n2\n3\n")
    assert counter.count() == 3
    path.write_text("4\n")
    assert counter.count() == 4


def test_polls_are_no_progress() -> None:
    """Requests that go on when nothing happens do not end a pause."""
    progress = Progress()
    counts = {"by_endpoint": {"GET /investigate": 1}, "requests": 2, "changes": 0}
    progress.update(counts, records=0)
    before = progress.changed_at
    background = {"GET /investigate": 9, "GET /settings/allow_policies": 4}
    counts = {"by_endpoint": background, "requests": 14, "changes": 0}
    progress.update(counts, records=0)
    assert progress.changed_at == before
    progress.update(counts, records=1)
    assert progress.changed_at > before
