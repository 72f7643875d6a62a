"""One notice on its way to whoever is to be told.

Whatever becomes of it, the case that it tells of is not touched.
"""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditActivities, WriteRecords
    from activities.notifications import Delivered, NotificationActivities
    from clawback.cases import NotificationStep, failed
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.temporal import names
    from clawback.temporal.error_types import ErrorType
    from workflows.options import DELIVER, RECORD

_NOTIFIED = "notified"


@workflow.defn(name=names.NOTICE)
class NotificationWorkflow:
    """Delivers one notice, records what became of it, and says so to its case.

    Id: `notice/<hash>`; one per notice.
    """

    @workflow.run
    async def run(self, tell: NotificationStep) -> str:
        """Deliver it; the result is `notified` or `failed:<reason>`."""
        outcome, detail = await self._delivered(tell)
        record = _record(tell, outcome, detail)
        await workflow.execute_local_activity_method(
            AuditActivities.append, WriteRecords(records=(record,)), **RECORD
        )
        with suppress(FailureError):  # a case that is closed has it in the audit alone
            case = workflow.get_external_workflow_handle(tell.facts.case)
            await case.signal(names.TOLD, args=[tell.facts.uid, tell.number, outcome])
        return outcome

    async def _delivered(self, tell: NotificationStep) -> tuple[str, str | None]:
        try:
            delivered: Delivered = await workflow.execute_activity_method(
                NotificationActivities.deliver, tell, **DELIVER
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return failed(_reason(error.cause)), None
        return _NOTIFIED, delivered.without


def _reason(cause: BaseException | None) -> str:
    """Say in a fixed word why it could not be delivered.

    The last attempt's, or that nobody answered.
    """
    if not isinstance(cause, ApplicationError):
        return ErrorType.UNAVAILABLE
    return str(cause.details[0]) if cause.details else cause.type or ErrorType.UNAVAILABLE


def _record(tell: NotificationStep, outcome: str, detail: str | None) -> AuditRecord:
    facts = tell.facts
    return AuditRecord(
        id=workflow.info().workflow_id,
        at=workflow.now(),
        kind=RecordKind.NOTIFIED,
        rule=facts.rule,
        rule_version=facts.version,
        case=facts.case,
        mode=facts.mode or None,
        action=tell.notice.name,
        target=tell.receiver,
        outcome=outcome,
        detail=detail,
    )
