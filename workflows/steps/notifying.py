"""Starts notifications: each is a workflow of its own, and nothing waits for its delivery."""

from collections.abc import Iterable
from contextlib import suppress

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from clawback.cases import NotificationStep
    from clawback.model.notification_state import NotificationState
    from clawback.temporal import names

_CHANNEL = SearchAttributeKey.for_keyword(names.CHANNEL_ATTRIBUTE)
_STATE = SearchAttributeKey.for_keyword(names.STATE_ATTRIBUTE)


async def start_notifications(steps: Iterable[NotificationStep]) -> None:
    """Start notifications, each at most once."""
    for step in steps:
        await start_notification(step)


async def start_notification(step: NotificationStep) -> None:
    """Start a notification unless it was started before. Its workflow may outlive this one."""
    with suppress(WorkflowAlreadyStartedError):
        await workflow.start_child_workflow(
            names.NOTIFICATION,
            step,
            id=names.notification_id(step.id),
            task_queue=names.WORKFLOW_QUEUE,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"{step.action.name} {step.recipient}: {step.context.occasion}",
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(_CHANNEL, step.action.channel),
                    SearchAttributePair(_STATE, NotificationState.WAITING),
                ]
            ),
        )
