"""The end of a block: removes it when its time is up, if it is still ours."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.containment import ContainmentActivities, OwnedBlock
    from activities.records import RecordActivities, WriteRecords
    from clawback.payloads import Payload, UtcDatetime
    from clawback.records import AuditRecord, RecordKind
    from clawback.temporal import names
    from workflows.policies import EXPIRE, RECORD


class ExpiringBlock(Payload):
    """A block of ours and when it ends."""

    block: OwnedBlock
    expires_at: UtcDatetime
    rule: str
    case: str


@workflow.defn(name=names.BLOCK_EXPIRY)
class BlockExpiryWorkflow:
    """Removes one block when its time is up. Id: `expiry/<block id>`; one per block. The result says whether it was still ours."""

    @workflow.init
    def __init__(self, block: ExpiringBlock) -> None:
        self._expires_at = block.expires_at

    @workflow.run
    async def run(self, block: ExpiringBlock) -> bool:
        """Wait, remove, record."""
        while (left := self._expires_at - workflow.now()) > timedelta():
            await workflow.sleep(left, summary="until the block ends")
        removed: bool = await workflow.execute_activity_method(ContainmentActivities.remove_block, block.block, **EXPIRE)
        record = AuditRecord(
            id=f"{workflow.info().workflow_id}/{workflow.info().first_execution_run_id}",
            at=workflow.now(),
            kind=RecordKind.BLOCK_EXPIRED,
            rule=block.rule,
            case=block.case,
            action="unblock_sender",
            target=block.block.id,
            outcome="removed" if removed else "already_gone",
        )
        await workflow.execute_local_activity_method(RecordActivities.append, WriteRecords(records=(record,)), **RECORD)
        return removed

    @workflow.update(name=names.EXTEND)
    def extend(self, until: datetime) -> datetime:
        """Let the block stand until later; never shortens it."""
        self._expires_at = max(self._expires_at, until)
        return self._expires_at

    @workflow.query(name=names.STATUS)
    def status(self) -> datetime:
        """When the block ends."""
        return self._expires_at
