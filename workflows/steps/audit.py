"""Writes the audit records of a workflow."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditActivities, WriteRecords
    from clawback.model.audit_record import AuditRecord
    from clawback.model.size import split_by_size
    from workflows.options import RECORD

_RECORDS_PER_ACTIVITY = 500


async def write_records(records: Sequence[AuditRecord]) -> None:
    """Write records in order; return when they are on the disk of a worker."""
    for batch in split_by_size(records, most=_RECORDS_PER_ACTIVITY):
        await workflow.execute_local_activity_method(
            AuditActivities.append_records, WriteRecords(records=batch), **RECORD
        )
