"""Lets go of the message by which a workflow was started, once it was read.

The SDK keeps a workflow's memo, headers and last result for as long as the workflow is in memory.
In protobuf a part of a message keeps all of the message, here with the first signals in it:
hundreds of kilobytes for each part of a large campaign. Copies keep only themselves.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
)


class LeanWorkflowRunner(UnsandboxedWorkflowRunner):
    """Runs workflow code as it is, and keeps copies of what the SDK keeps."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Create a workflow that keeps nothing of its first message."""
        return super().create_instance(detach_details(det))


class LeanWorkflowInterceptor(Interceptor):
    """Does the same for the headers, which the coroutine of a workflow keeps."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name
    ) -> type[WorkflowInboundInterceptor]:
        """Return the interceptor of each workflow."""
        return _DetachedInput


class _DetachedInput(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - the SDK's
        input.headers = _copy_each(input.headers)
        return await super().execute_workflow(input)


def detach_details(details: WorkflowInstanceDetails) -> WorkflowInstanceDetails:
    """Return the same details, without references into the message that they came in."""
    info = replace(
        details.info,
        raw_memo=_copy_each(details.info.raw_memo),
        headers=_copy_each(details.info.headers),
    )
    last = Payloads()
    last.CopyFrom(details.last_completion_result)
    return replace(details, info=info, last_completion_result=last)


def _copy_each(payloads: Mapping[str, Payload]) -> dict[str, Payload]:
    return {name: _copy(payload) for name, payload in payloads.items()}


def _copy(payload: Payload) -> Payload:
    copied = Payload()
    copied.CopyFrom(payload)
    return copied
