"""How long a workflow may compute before the SDK takes it for deadlocked (ADR 36)."""

from temporalio.worker import Worker

PATIENCE = 60.0
"""Seconds. The server gives a task to somebody else after ten: that does no harm."""


def be_patient(worker: Worker) -> None:
    """Let a worker wait for a workflow that computes for long, instead of interrupting it.

    The SDK interrupts after two seconds by the clock, which a replay of a large case takes on a
    machine that is busy. A handler that was interrupted can never be evicted: that workflow gets
    no answer from this worker any more.
    """
    # The only public switch, `debug_mode`, runs all workflows on the event loop of the worker.
    workflows = worker._workflow_worker  # noqa: SLF001 - see above
    if workflows is not None:
        workflows._deadlock_timeout_seconds = PATIENCE  # type: ignore[assignment]  # noqa: SLF001 - see above
