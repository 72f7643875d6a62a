"""Counts and logs the attempts of every activity."""

from collections.abc import Callable, Collection, Mapping
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
    `describe` says by the id of a workflow which case, rule or source it is about.
    """

    def __init__(
        self,
        expected: Collection[str] = (),
        describe: Callable[[str], Mapping[str, str]] = lambda _: {},
    ) -> None:
        self._expected = expected
        self._describe = describe

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - the base class names it
    ) -> ActivityInboundInterceptor:
        """Wrap the execution of activities."""
        return _Inbound(next, self._expected, self._describe)


class _Inbound(ActivityInboundInterceptor):
    def __init__(
        self,
        next_: ActivityInboundInterceptor,
        expected: Collection[str],
        describe: Callable[[str], Mapping[str, str]],
    ) -> None:
        super().__init__(next_)
        self._expected = expected
        self._describe = describe

    async def execute_activity(
        self,
        input: ExecuteActivityInput,  # noqa: A002 - the base class names it
    ) -> Any:
        info = activity.info()
        is_expected = False
        with structlog.contextvars.bound_contextvars(
            workflow=info.workflow_id,
            activity=info.activity_type,
            attempt=info.attempt,
            **self._describe(info.workflow_id or ""),
        ):
            try:
                return await super().execute_activity(input)
            except ApplicationError as error:
                is_expected = error.type in self._expected
                if not is_expected:
                    metrics.ACTIVITY_FAILURES.labels(info.activity_type).inc()
                    log.warning(
                        "activity.failed", error_type=error.type, error=error.__cause__ or error
                    )
                    log.debug("activity.failure_explained", text=error.message)
                raise
            finally:
                if info.attempt > 1 and not is_expected:
                    metrics.ACTIVITY_RETRIES.labels(info.activity_type).inc()
