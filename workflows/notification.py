"""The notification workflow: deliver one notification, whatever happens to its case."""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.notifications import Delivered, NotificationActivities
    from clawback.actions.outcomes import failed
    from clawback.cases import NotificationStep
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.temporal import names
    from clawback.temporal.error_types import ErrorType
    from workflows.options import DELIVER
    from workflows.steps.audit import write_records

_NOTIFIED = "notified"


@workflow.defn(name=names.NOTIFICATION)
class NotificationWorkflow:
    """Delivers one notification, audits the outcome, and signals it to the case.

    Id: `notification/<hash>`; one per notification.
    """

    @workflow.run
    async def run(self, step: NotificationStep) -> str:
        """Deliver the notification. Returns `notified` or `failed:<reason>`."""
        outcome, detail = await self._deliver(step)

        await write_records([_build_record(step, outcome, detail)])

        if step.context.is_installation:
            return outcome
        with suppress(FailureError):  # the case may have closed: then the audit alone has it
            case = workflow.get_external_workflow_handle(step.context.case)
            await case.signal(
                names.NOTIFICATION_ENDED, args=[step.context.uid, step.number, outcome]
            )

        return outcome

    async def _deliver(self, step: NotificationStep) -> tuple[str, str | None]:
        try:
            delivered: Delivered = await workflow.execute_activity_method(
                NotificationActivities.deliver, step, **DELIVER
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return failed(_reason(error.cause)), None

        return _NOTIFIED, delivered.missing


def _reason(cause: BaseException | None) -> str:
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
