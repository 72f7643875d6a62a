"""Counts and logs the attempts of every activity."""

from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from clawback.telemetry import metrics

log = structlog.get_logger("clawback")


class ActivityInterceptor(Interceptor):
    """Counts retries, logs failed attempts, and adds workflow and activity to every log event."""

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - the base class names it
    ) -> ActivityInboundInterceptor:
        """Wrap the execution of activities."""
        return _Inbound(next)


class _Inbound(ActivityInboundInterceptor):
    async def execute_activity(
        self,
        input: ExecuteActivityInput,  # noqa: A002 - the base class names it
    ) -> Any:
        info = activity.info()
        if info.attempt > 1:
            metrics.ACTIVITY_RETRIES.labels(info.activity_type).inc()

        with structlog.contextvars.bound_contextvars(
            workflow=info.workflow_id, activity=info.activity_type, attempt=info.attempt
        ):
            try:
                return await super().execute_activity(input)
            except ApplicationError as error:
                log.warning("activity.failed", error_type=error.type, error=error.__cause__)
                log.debug("activity.failure_explained", text=error.message)
                raise
