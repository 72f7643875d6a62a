"""Carries traces through Temporal: from a page into the case, its activities and what they call.

Over the interceptor of the SDK, with three differences. What is in no trace begins none. Workflows
that live for ever, such as the guard, belong to no trace: all that they ever do would be in the
one that started them. And a header that cannot be read is none: anybody in the namespace can send
one, and an error would fail every task of the workflow.
"""

from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Tracer
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.contrib.opentelemetry import TracingInterceptor, TracingWorkflowInboundInterceptor
from temporalio.converter import DefaultPayloadConverter
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from clawback.temporal import names

HEADER = "_tracer-data"
"""The header of the SDK's interceptors in all languages."""
TRACED = frozenset({names.CASE, names.CASE_PART, names.CASE_UNDO, names.UNDO, names.NOTIFICATION})
"""Workflows that belong to the trace that started them: those that end."""


class CarrierConverter(DefaultPayloadConverter):
    """Reads headers; one that holds no trace context reads as empty."""

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """Read one header: the fields of a trace context, or none."""
        try:
            carrier = super().from_payloads(payloads, type_hints)[0]
        except Exception:  # noqa: BLE001 - whatever is wrong with it, the workflow goes on
            return [{}]

        is_readable = isinstance(carrier, dict) and all(
            isinstance(text, str) for field in carrier.items() for text in field
        )
        return [carrier if is_readable else {}]


_CARRIERS = CarrierConverter()


class TraceInterceptor(TracingInterceptor):
    """Continues traces in clients, workflows and activities, and begins none."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(tracer)
        self.payload_converter = _CARRIERS

    def intercept_client(
        self,
        next: OutboundInterceptor,  # noqa: A002 - the base class names it
    ) -> OutboundInterceptor:
        """Send the trace of the caller, if it is in one."""
        return _Client(next, super().intercept_client(next))

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - the base class names it
    ) -> ActivityInboundInterceptor:
        """Continue the trace of the workflow, if it is in one."""
        return _Activity(next, super().intercept_activity(next))

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - the base class names it
    ) -> type[TracingWorkflowInboundInterceptor]:
        """Continue the trace that started the workflow."""
        super().workflow_interceptor_class(input)
        return _Workflow


class _Client(OutboundInterceptor):
    def __init__(self, plain: OutboundInterceptor, traced: OutboundInterceptor) -> None:
        super().__init__(plain)
        self._traced = traced

    async def start_workflow(
        self,
        input: StartWorkflowInput,  # noqa: A002 - the base class names it
    ) -> WorkflowHandle[Any, Any]:
        return await self._choose().start_workflow(input)

    async def signal_workflow(
        self,
        input: SignalWorkflowInput,  # noqa: A002 - the base class names it
    ) -> None:
        await self._choose().signal_workflow(input)

    async def start_workflow_update(
        self,
        input: StartWorkflowUpdateInput,  # noqa: A002 - the base class names it
    ) -> WorkflowUpdateHandle[Any]:
        return await self._choose().start_workflow_update(input)

    async def start_update_with_start_workflow(
        self,
        input: StartWorkflowUpdateWithStartInput,  # noqa: A002 - the base class names it
    ) -> WorkflowUpdateHandle[Any]:
        return await self._choose().start_update_with_start_workflow(input)

    def _choose(self) -> OutboundInterceptor:
        is_in_trace = trace.get_current_span().get_span_context().is_valid
        return self._traced if is_in_trace else self.next


class _Activity(ActivityInboundInterceptor):
    def __init__(
        self, plain: ActivityInboundInterceptor, traced: ActivityInboundInterceptor
    ) -> None:
        super().__init__(plain)
        self._traced = traced

    async def execute_activity(
        self,
        input: ExecuteActivityInput,  # noqa: A002 - the base class names it
    ) -> Any:
        header = input.headers.get(HEADER)
        is_in_trace = header is not None and _CARRIERS.from_payloads([header])[0]
        return await (self._traced if is_in_trace else self.next).execute_activity(input)


class _Workflow(TracingWorkflowInboundInterceptor):
    def __init__(
        self,
        next: WorkflowInboundInterceptor,  # noqa: A002 - the base class names it
    ) -> None:
        super().__init__(next)
        self.payload_converter = _CARRIERS

    def _load_workflow_context_carrier(self) -> Any:
        is_traced = workflow.info().workflow_type in TRACED
        return super()._load_workflow_context_carrier() if is_traced else None
