"""Removes a block of ours when its time is up or when somebody lifts it."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.policies import PolicyActivities
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.identity import Actor
    from clawback.model.orders import Order, OrderLog, SignedOrder, Verb
    from clawback.model.policies import EndedPolicy, ExpiringBlock
    from clawback.model.texts import bounded
    from clawback.model.times import parse_time
    from clawback.temporal import names
    from workflows.options import EXPIRE
    from workflows.steps.audit import write_records
    from workflows.steps.orders import require_order, take_order


@workflow.defn(name=names.BLOCK_EXPIRY, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class BlockExpiryWorkflow:
    """Removes one block when its time is up, unless somebody else has changed the block.

    Id: `expiry/<block id>`; one per block. Its memo holds the block as it stands, so that blocks
    are listed without asking any workflow. The result says how the block ended.
    """

    @workflow.init
    def __init__(self, block: ExpiringBlock) -> None:
        info = workflow.info()
        self._block = block
        # The same for every run of this block, so that a record that is written again keeps its id.
        self._uid = f"{info.workflow_id}/{info.first_execution_run_id}"
        self._extensions = 0
        self._unwritten: list[AuditRecord] = []
        self._lifting: Order | None = None
        self._orders = OrderLog()
        self._has_ended = False

    @workflow.run
    async def run(self, block: ExpiringBlock) -> EndedPolicy:
        """Wait until the block ends, remove it, record that."""
        # An extension moves the end while this waits, so the rest is computed anew each time.
        while (left := self._left()) > timedelta() and self._lifting is None:
            await self._wait(left)
            await self._write()

        # Before the request, so that no extension is accepted that comes too late.
        self._has_ended = True
        ended: EndedPolicy = await workflow.execute_activity_method(
            PolicyActivities.remove_policy, block.block.policy, **EXPIRE
        )

        if (order := self._lifting) is None:
            self._note(RecordKind.BLOCK_EXPIRED, self._uid, ended)
        else:
            self._note(RecordKind.BLOCK_LIFTED, self._uid, ended, order.actor, order.reason)

        await self._write()
        # An order that comes too late is still being verified, and then refused.
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ended

    @workflow.update(name=names.EXTEND)
    async def extend(self, signed: SignedOrder) -> datetime:
        """Extend the block until the time that the order names; return when it ends."""
        order = await take_order(signed, Verb.EXTEND_BLOCK, self._orders)
        until = self._require_extension(order)
        self._block = self._block.model_copy(update={"expires_at": until})
        self._extensions += 1
        workflow.upsert_memo({names.BLOCK_MEMO: self._block})

        detail = f"until {until:%FT%TZ}" + (f" · {order.reason}" if order.reason else "")
        uid = f"{self._uid}/{self._extensions}"
        self._note(RecordKind.BLOCK_EXTENDED, uid, None, order.actor, detail)

        return until

    @workflow.update(name=names.LIFT)
    async def lift(self, signed: SignedOrder) -> None:
        """Remove the block now; the result of the workflow says how it ended."""
        order = await take_order(signed, Verb.LIFT_BLOCK, self._orders)
        self._require_standing()
        self._lifting = order

    @extend.validator
    def _validate_extend(self, signed: SignedOrder) -> None:
        self._require_extension(require_order(signed, Verb.EXTEND_BLOCK, self._orders))

    @lift.validator
    def _validate_lift(self, signed: SignedOrder) -> None:
        require_order(signed, Verb.LIFT_BLOCK, self._orders)
        self._require_standing()

    @workflow.query(name=names.STATUS)
    def status(self) -> ExpiringBlock:
        """The block as it stands now."""
        return self._block

    def _require_extension(self, order: Order) -> datetime:
        """Return the new end that an order names; raise if it is none."""
        self._require_standing()
        if (until := parse_time(order.content)) is None:
            raise ApplicationError(f"{bounded(order.content, 80)!r} is not a time")
        if until <= self._block.expires_at:
            raise ApplicationError(
                f"the block already stands until {self._block.expires_at:%FT%TZ}; "
                "use `lift` to end it sooner"
            )
        return until

    def _require_standing(self) -> None:
        if self._lifting is not None:
            by = self._lifting.actor.label
            raise ApplicationError(f"the block has ended: {by} has lifted it")
        if self._has_ended:
            raise ApplicationError(
                f"the block has ended: it expired at {self._block.expires_at:%FT%TZ}"
            )

    def _left(self) -> timedelta:
        return self._block.expires_at - workflow.now()

    async def _wait(self, left: timedelta) -> None:
        # A timed wait takes a timer even if its condition already holds.
        if self._unwritten:
            return

        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: bool(self._unwritten) or self._lifting is not None,
                timeout=left,
                timeout_summary="until the block ends",
            )

    async def _write(self) -> None:
        records = tuple(self._unwritten)
        await write_records(records)
        # Handlers may have added records meanwhile; those stay for the next write.
        del self._unwritten[: len(records)]

    def _note(
        self,
        kind: RecordKind,
        uid: str,
        ended: EndedPolicy | None = None,
        actor: Actor | None = None,
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
            detail=bounded(detail) or None,
            **(actor.audit_fields if actor else {}),
        )
        self._unwritten.append(record)
