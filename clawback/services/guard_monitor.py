"""Sees to the guard; shows kill switch and demoted rules in the metrics and the log."""

import asyncio
from datetime import timedelta

import structlog

from clawback.telemetry import metrics
from clawback.temporal.guard_keeper import GuardKeeper

READ_EVERY = timedelta(seconds=5)
log = structlog.get_logger("clawback")


async def monitor_guard(keeper: GuardKeeper) -> None:
    """See to the guard until cancelled; log each change of the kill switch.

    What cannot be read counts as stopped: nothing is sent then.
    """
    was_stopped: bool | None = None
    demoted: frozenset[str] = frozenset()
    while True:
        try:
            is_stopped = await keeper.keep()
        except Exception as error:  # noqa: BLE001 - this task must not end while the worker runs
            log.warning("worker.guard_unreadable", error=error)
            is_stopped = True

        metrics.CONTAINMENT_STOPPED.set(is_stopped)
        for rule in keeper.demoted ^ demoted:
            metrics.RULE_DEMOTED.labels(rule).set(rule in keeper.demoted)
        demoted = keeper.demoted
        # The first look logs only a stop: a worker that starts without one has nothing to say.
        if is_stopped is not was_stopped and (is_stopped or was_stopped is not None):
            log.warning(
                "worker.containment_stopped" if is_stopped else "worker.containment_resumed"
            )

        was_stopped = is_stopped
        await asyncio.sleep(READ_EVERY.total_seconds())
