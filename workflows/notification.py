"""The notification workflow: deliver one notification, whatever happens to its case."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.notifications import Delivered, NotificationActivities, PutOff
    from clawback.actions.outcomes import failed, is_failed
    from clawback.cases import NotificationStep
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.notification_state import NotificationState
    from clawback.notifications.routing import Route, RouteRequest
    from clawback.temporal import names
    from clawback.temporal.error_types import ErrorType
    from workflows.options import ASK_UNANSWERED, DELIVER, DIGEST_PATIENCE, FIND_ROUTE, PUT_OFF
    from workflows.steps.audit import write_records
    from workflows.steps.notifying import start_notification

NOTIFIED = "notified"
_STATE = SearchAttributeKey.for_keyword(names.STATE_ATTRIBUTE)


@workflow.defn(name=names.NOTIFICATION)
class NotificationWorkflow:
    """Delivers one notification, audits the outcome, and signals it to the case.

    Id: `notification/<hash>`; one per notification. During quiet hours it waits for the digest, and
    afterwards until nobody has answered for as long as the channel file says.
    """

    @workflow.init
    def __init__(self, step: NotificationStep) -> None:
        self._digested: str | None = None

    @workflow.run
    async def run(self, step: NotificationStep) -> str:
        """Deliver the notification. Returns `notified` or `failed:<reason>`."""
        route: Route = await workflow.execute_local_activity_method(
            NotificationActivities.find_route, RouteRequest.of(step, workflow.now()), **FIND_ROUTE
        )
        # Beside the delivery: a channel that is down must not keep the next one from hearing.
        escalation = asyncio.create_task(self._escalate(step, route))

        outcome, detail = await self._deliver_in_time(step, route)
        await write_records([_build_record(step, outcome, detail)])
        self._show(NotificationState.FAILED if is_failed(outcome) else NotificationState.NOTIFIED)
        if step.has_listener:
            with suppress(FailureError):  # the case may have closed: then the audit alone has it
                case = workflow.get_external_workflow_handle(step.context.case)
                await case.signal(
                    names.NOTIFICATION_ENDED, args=[step.context.uid, step.number, outcome]
                )

        await escalation
        return outcome

    @workflow.signal(name=names.DIGESTED)
    def digested(self, outcome: str) -> None:
        """Take the outcome of the digest that this notification was part of."""
        self._digested = outcome

    async def _deliver_in_time(
        self, step: NotificationStep, route: Route
    ) -> tuple[str, str | None]:
        if route.quiet_until is not None:
            self._show(NotificationState.QUIET)
            if (outcome := await self._wait_for_digest(step, route)) is not None:
                return outcome, "in a digest after quiet hours"
            self._show(NotificationState.WAITING)
        return await self._deliver(step)

    async def _wait_for_digest(self, step: NotificationStep, route: Route) -> str | None:
        """Hand a notification to the digest of its channel; None if that never says what it did."""
        if (until := route.quiet_until) is None:
            return None
        await workflow.execute_activity_method(
            NotificationActivities.put_off,
            PutOff(step=step, at=workflow.now(), until=until),
            **PUT_OFF,
        )
        if self._digested is None:
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: self._digested is not None,
                    timeout=max(until - workflow.now(), timedelta()) + DIGEST_PATIENCE,
                    timeout_summary="until the digest is delivered",
                )
        return self._digested

    async def _deliver(self, step: NotificationStep) -> tuple[str, str | None]:
        try:
            delivered: Delivered = await workflow.execute_activity_method(
                NotificationActivities.deliver, step, **DELIVER
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return failed(reason_of(error.cause)), None

        return NOTIFIED, delivered.missing

    async def _escalate(self, step: NotificationStep, route: Route) -> None:
        """Tell the next channel if nobody has answered in time, counted from when they could."""
        if not route.escalate_to or route.escalate_after is None:
            return
        quiet = max((route.quiet_until or workflow.now()) - workflow.now(), timedelta())
        await workflow.sleep(quiet + route.escalate_after, summary="until it is escalated")
        try:
            is_unanswered: bool = await workflow.execute_activity_method(
                NotificationActivities.is_unanswered, step, **ASK_UNANSWERED
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            is_unanswered = True  # one message too many is better than one too few
        if is_unanswered:
            await start_notification(step.escalated(route.escalate_to))

    @staticmethod
    def _show(state: NotificationState) -> None:
        workflow.upsert_search_attributes([_STATE.value_set(state)])


def reason_of(cause: BaseException | None) -> str:
    """Return the reason code of the last attempt, or `unavailable` if it timed out."""
    if not isinstance(cause, ApplicationError):
        return ErrorType.UNAVAILABLE
    return str(cause.details[0]) if cause.details else cause.type or ErrorType.UNAVAILABLE


def _build_record(step: NotificationStep, outcome: str, detail: str | None) -> AuditRecord:
    context = step.context
    return AuditRecord(
        id=workflow.info().workflow_id,
        at=workflow.now(),
        kind=RecordKind.NOTIFIED,
        rule=context.rule,
        rule_version=context.version,
        case=context.case,
        mode=context.mode or None,
        action=step.action.name,
        target=step.recipient,
        outcome=outcome,
        detail=detail,
    )
