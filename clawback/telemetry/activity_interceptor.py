"""Counts and logs the attempts of every activity."""

from collections.abc import Collection
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from clawback.telemetry import metrics

log = structlog.get_logger("clawback")


class ActivityInterceptor(Interceptor):
    """Counts retries, logs failed attempts, and adds workflow and activity to every log event.

    `expected` are types of errors that are no failure: a quiet source is polled by retries.
    """

    def __init__(self, expected: Collection[str] = ()) -> None:
        self._expected = expected

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - the base class names it
    ) -> ActivityInboundInterceptor:
        """Wrap the execution of activities."""
        return _Inbound(next, self._expected)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next_: ActivityInboundInterceptor, expected: Collection[str]) -> None:
        super().__init__(next_)
        self._expected = expected

    async def execute_activity(
        self,
        input: ExecuteActivityInput,  # noqa: A002 - the base class names it
    ) -> Any:
        info = activity.info()
        is_expected = False
        with structlog.contextvars.bound_contextvars(
            workflow=info.workflow_id, activity=info.activity_type, attempt=info.attempt
        ):
            try:
                return await super().execute_activity(input)
            except ApplicationError as error:
                is_expected = error.type in self._expected
                if not is_expected:
                    log.warning("activity.failed", error_type=error.type, error=error.__cause__)
                    log.debug("activity.failure_explained", text=error.message)
                raise
            finally:
                if info.attempt > 1 and not is_expected:
                    metrics.ACTIVITY_RETRIES.labels(info.activity_type).inc()
