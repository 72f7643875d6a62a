"""Counters over restarts, and what counts as progress."""

from clawback.rehearsal.progress import CounterSums, Progress


def test_counters_are_summed_over_processes_and_restarts() -> None:
    """A value below the last one means that the process started again at zero."""
    sums = CounterSums()
    for process, value in (("a", 3.0), ("b", 2.0), ("a", 5.0), ("a", 1.0)):
        sums.update(process, {"x_total": value})
    sums.update("b", {})
    assert sums.totals == {"x_total": 8.0}


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
