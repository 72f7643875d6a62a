"""The end of a block: removes it when its time is up or when somebody lifts it, if it is still ours."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditActivities, WriteRecords
    from activities.containment import ContainmentActivities
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.blocks import EndedBlock, ExpiringBlock
    from clawback.model.texts import bounded
    from clawback.model.times import parse_time
    from clawback.temporal import names
    from workflows.options import EXPIRE, RECORD

_TOLD = "extensions-are-told"


@workflow.defn(name=names.BLOCK_EXPIRY)
class BlockExpiryWorkflow:
    """Removes one block when its time is up.

    Id: `expiry/<block id>`; one per block. The result says what became of it.
    """

    @workflow.init
    def __init__(self, block: ExpiringBlock) -> None:
        info = workflow.info()
        self._block = block
        self._uid = f"{info.workflow_id}/{info.first_execution_run_id}"
        self._extensions = 0
        self._unwritten: list[AuditRecord] = []
        self._lifted_by: tuple[str, str] | None = None
        self._over = False

    @workflow.run
    async def run(self, block: ExpiringBlock) -> EndedBlock:
        """Wait, remove, record."""
        while (
            left := self._block.expires_at - workflow.now()
        ) > timedelta() and self._lifted_by is None:
            await self._wait(left)
            await self._write()
        self._over = True
        ended: EndedBlock = await workflow.execute_activity_method(
            ContainmentActivities.remove_block, block.block, **EXPIRE
        )
        if self._lifted_by is None:
            self._note(RecordKind.BLOCK_EXPIRED, self._uid, ended)
        else:
            by, reason = self._lifted_by
            self._note(RecordKind.BLOCK_LIFTED, self._uid, ended, actor=by, detail=reason)
        await self._write()
        return ended

    @workflow.update(name=names.EXTEND)
    def extend(self, until: datetime, by: str = "", reason: str = "") -> datetime:
        """Let the block stand until later; the answer is when it ends."""
        asked = (
            parse_time(until) or self._block.expires_at
        )  # the SDK leaves arguments untyped where a former release gave fewer
        self._block = self._block.model_copy(
            update={"expires_at": max(self._block.expires_at, asked)}
        )
        if workflow.patched(_TOLD):
            self._extensions += 1
            workflow.upsert_memo({names.BLOCK_MEMO: self._block})
            detail = f"until {self._block.expires_at:%FT%TZ}" + (f" · {reason}" if reason else "")
            self._note(
                RecordKind.BLOCK_EXTENDED,
                f"{self._uid}/{self._extensions}",
                actor=by or "clawback",
                detail=detail,
            )
        return self._block.expires_at

    @workflow.update(name=names.LIFT)
    def lift(self, by: str, reason: str = "") -> None:
        """Remove the block now; the result of the workflow says what became of it."""
        self._lifted_by = (by, reason)

    @extend.validator
    def _extensible(self, until: datetime, by: str = "", reason: str = "") -> None:  # noqa: ARG002 - a validator has the update's signature
        self._must_stand(by)
        if until <= self._block.expires_at:
            raise ApplicationError(
                f"the block stands until {self._block.expires_at:%FT%TZ} already; `lift` ends it sooner"
            )

    @lift.validator
    def _liftable(self, by: str, reason: str = "") -> None:  # noqa: ARG002 - a validator has the update's signature
        self._must_stand(by)

    @workflow.query(name=names.STATUS)
    def status(self) -> datetime:
        """When the block ends."""
        return self._block.expires_at

    @workflow.query(name=names.STANDING)
    def standing(self) -> ExpiringBlock:
        """All that is known of the block."""
        return self._block

    def _must_stand(self, by: str) -> None:
        if not by.strip():
            raise ApplicationError("say who you are: --by NAME")
        if self._lifted_by is not None:
            raise ApplicationError(f"the block is over: {self._lifted_by[0]} has lifted it")
        if self._over:
            raise ApplicationError(
                f"the block is over: its time was up at {self._block.expires_at:%FT%TZ}"
            )

    async def _wait(self, left: timedelta) -> None:
        if self._unwritten:
            return
        with suppress(asyncio.TimeoutError):
            news = lambda: bool(self._unwritten) or self._lifted_by is not None  # noqa: E731
            await workflow.wait_condition(
                news, timeout=left, timeout_summary="until the block ends"
            )

    async def _write(self) -> None:
        records = tuple(self._unwritten)
        if records:
            await workflow.execute_local_activity_method(
                AuditActivities.append, WriteRecords(records=records), **RECORD
            )
            del self._unwritten[: len(records)]

    def _note(
        self,
        kind: RecordKind,
        uid: str,
        ended: EndedBlock | None = None,
        actor: str = "clawback",
        detail: str = "",
    ) -> None:
        record = AuditRecord(
            id=uid,
            at=workflow.now(),
            kind=kind,
            rule=self._block.rule,
            case=self._block.case,
            action="block_sender" if ended is None else "unblock_sender",
            target=self._block.block.id,
            outcome=None if ended is None else ended.removal,
            actor=bounded(actor, 120),
            detail=bounded(detail) or None,
        )
        self._unwritten.append(record)
