"""What the log and the metrics say of attempts of activities."""

from dataclasses import replace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from clawback.actions import BudgetKind
from clawback.guard import Reservation, ReservationResult
from clawback.telemetry import metrics
from clawback.telemetry.activity_interceptor import ActivityInterceptor
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.error_types import EXPECTED, ErrorType
from tests.telemetry.log_capture import captured_logs, log_lines


class _Failing(ActivityInboundInterceptor):
    def __init__(self, error_type: ErrorType) -> None:
        self._error_type = error_type

    async def execute_activity(
        self,
        input: ExecuteActivityInput,  # noqa: A002, ARG002 - the base class names it
    ) -> Any:
        raise ApplicationError("it failed", type=self._error_type)


def _nothing() -> ExecuteActivityInput:
    return ExecuteActivityInput(fn=lambda: None, args=(), executor=None, headers={})


def count_retries(activity: str) -> float:
    labels = {"activity": activity}
    return metrics.REGISTRY.get_sample_value("clawback_activity_retries_total", labels) or 0.0


async def second_attempt(error_type: ErrorType) -> tuple[list[dict[str, Any]], float]:
    """Let a second attempt fail; return what was logged, and how many retries were counted."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=2)
    inbound = ActivityInterceptor(EXPECTED).intercept_activity(_Failing(error_type))
    before = count_retries(environment.info.activity_type)
    with captured_logs() as stream, pytest.raises(ApplicationError):
        await environment.run(inbound.execute_activity, _nothing())
    return log_lines(stream), count_retries(environment.info.activity_type) - before


async def test_a_failed_retry_is_logged_and_counted() -> None:
    """One line at `warning`, and one retry."""
    lines, retries = await second_attempt(ErrorType.UNAVAILABLE)
    assert [(line["event"], line["error_type"]) for line in lines] == [
        ("activity.failed", "unavailable")
    ]
    assert retries == 1


async def test_a_quiet_source_is_no_failure() -> None:
    """An idle installation polls by retries, every few seconds: no line, and no retry."""
    lines, retries = await second_attempt(ErrorType.NOTHING_NEW)
    assert not lines
    assert not retries


@pytest.mark.parametrize("budget", BudgetKind)
def test_a_refusal_names_the_budget(budget: BudgetKind) -> None:
    """It is a word of ours: whoever reads the log learns which budget was used up."""
    refused = Reservation(id="1", rule="r", budget=budget, count=3)
    with captured_logs() as stream:
        ActivityTelemetry().record_reservation(refused, ReservationResult(granted=False))
    assert [line["budget"] for line in log_lines(stream)] == [budget.value]
