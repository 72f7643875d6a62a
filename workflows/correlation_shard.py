"""One shard of the correlation windows: counts matches, and sends what is satisfied to its case.

This is the sequence around the state machine `clawback.correlation.shard.Shard`.
"""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.correlation import CorrelationActivities
    from clawback.correlation.payloads import (
        CountedWindow,
        DeliveryBatch,
        MatchBatch,
        ShardSnapshot,
        ShardStatus,
    )
    from clawback.correlation.shard import Shard
    from clawback.temporal import names
    from workflows.options import CORRELATE
    from workflows.steps.audit import write_records
    from workflows.steps.renewal import is_old_run

_MOST_EVENTS = 20_000
_MOST_HISTORY_BYTES = 20 * 1024 * 1024
"""Before Temporal terminates the run, at 51,200 events or 50 MiB, what does not fit is dropped."""


@workflow.defn(name=names.CORRELATION, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class CorrelationShardWorkflow:
    """Counts the groups of one shard, and ends when it remembers nothing.

    Id: `correlation/<n>`. Only signal-with-start starts it, so it never misses a match.
    """

    @workflow.init
    def __init__(self, snapshot: ShardSnapshot) -> None:
        info = workflow.info()
        self._shard = Shard(snapshot, f"{info.workflow_id}/{info.first_execution_run_id}")
        self._has_news = False
        self._timer: asyncio.Task[None] | None = None
        self._timer_ends: datetime | None = None

    @workflow.run
    async def run(self, snapshot: ShardSnapshot) -> None:
        """Deliver what is satisfied; continue as new when the history is long."""
        while True:
            self._has_news = False
            await write_records(self._shard.take_records())
            if self._is_long():
                self._cancel_timer()
                self._shard.shrink(workflow.now())
                workflow.continue_as_new(self._shard.snapshot())
            if await self._deliver():
                continue
            await self._wait()
            if not self._has_news and self._shard.wake_at() is None:
                return

    @workflow.signal(name=names.MATCHED)
    def matched(self, batch: Any) -> None:
        """Take the matches of one page.

        Takes a raw value: the SDK drops a signal silently if it cannot decode it.
        """
        now = workflow.now()
        try:
            self._shard.take(MatchBatch.model_validate(batch), now)
        except ValidationError as error:
            self._shard.reject(f"{error.error_count()} errors in a batch of matches", now)
        self._has_news = True

    @workflow.query(name=names.STATUS)
    def status(self) -> ShardStatus:
        """How full the shard is, and what waits for its case."""
        return self._shard.status()

    @workflow.query(name=names.WINDOWS)
    def windows(self, now: datetime, rule: str | None, limit: int) -> tuple[CountedWindow, ...]:
        """What is being counted, the closest to its threshold first.

        The time is asked for: the clock of a workflow stands still while nothing happens.
        """
        return self._shard.windows(now, rule, limit)

    async def _deliver(self) -> bool:
        """Make the deliveries that are due; False if there are none."""
        deliveries = self._shard.due(workflow.now())
        if not deliveries:
            return False
        results = await workflow.execute_activity_method(
            CorrelationActivities.deliver_matches, DeliveryBatch(deliveries=deliveries), **CORRELATE
        )
        for delivery, result in zip(deliveries, results, strict=True):
            self._shard.end_delivery(delivery, result, workflow.now())
        return True

    async def _wait(self) -> None:
        """Wait for matches, or until something is to be done without.

        One timer outlives many signals: starting one for each would cost an action per match.
        """
        wake_at = self._shard.wake_at()
        if wake_at is not None and not self._has_news:
            if self._timer is None or self._timer_ends is None or wake_at < self._timer_ends:
                self._start_timer(wake_at)
            await workflow.wait_condition(lambda: self._has_news or self._timer is None)
        if self._timer is None:
            self._shard.expire(workflow.now())

    def _start_timer(self, ends: datetime) -> None:
        self._cancel_timer()
        self._timer_ends = ends
        left = max(ends - workflow.now(), timedelta(milliseconds=1))
        self._timer = asyncio.create_task(self._sleep(left))

    async def _sleep(self, left: timedelta) -> None:
        with suppress(asyncio.CancelledError):
            await workflow.sleep(left, summary="until everything has expired")
            self._timer = None

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_long(self) -> bool:
        """Whether to continue as new: rather once cases have taken what does not fit."""
        info = workflow.info()
        is_too_long = (
            info.get_current_history_length() >= _MOST_EVENTS
            or info.get_current_history_size() >= _MOST_HISTORY_BYTES
        )
        is_suggested = info.is_continue_as_new_suggested() or is_old_run()
        is_due = is_suggested and self._shard.is_portable
        return (is_due or is_too_long) and workflow.all_handlers_finished()
