"""Removes a block of ours when nobody wants it any more, or when somebody lifts it."""

import asyncio
import hashlib
from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.policies import ExtendPolicy, PolicyActivities
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.claims import Claim
    from clawback.model.identity import Actor
    from clawback.model.orders import Order, SignedOrder, Verb
    from clawback.model.policies import EndedPolicy, ExpiringBlock
    from clawback.model.texts import bounded
    from clawback.model.times import parse_time
    from clawback.temporal import names
    from workflows.options import EXTEND_MARK
    from workflows.steps.expiry import EntryExpiry
    from workflows.steps.orders import require_order, take_order


@workflow.defn(name=names.BLOCK_EXPIRY, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class BlockExpiryWorkflow(EntryExpiry):
    """Removes one block when its time is up, unless somebody else has changed the block.

    Id: `expiry/<block id>`; one per block. Its memo holds the block as it stands, so that blocks
    are listed without asking any workflow. The result says how the block ended.
    """

    noun = "block"

    @workflow.init
    def __init__(self, block: ExpiringBlock) -> None:
        super().__init__(block.claims)
        # Kept, because a later run has a start time of its own.
        made_at = block.made_at or workflow.info().workflow_start_time
        self._block = block.model_copy(update={"made_at": made_at})
        self._marking = asyncio.Lock()

    @workflow.run
    async def run(self, block: ExpiringBlock) -> EndedPolicy:
        """Wait until the block ends, remove it, record that."""
        await self._wait_until_over()
        ended = await self._remove(block.block.policy)

        if (order := self._lifting) is not None:
            self._note(RecordKind.BLOCK_LIFTED, ended, order.actor, order.reason)
        elif self._is_withdrawn:
            self._note(RecordKind.BLOCK_LIFTED, ended, detail="no claim is left")
        else:
            self._note(RecordKind.BLOCK_EXPIRED, ended)

        await self._finish()
        return ended

    @workflow.update(name=names.EXTEND)
    async def extend(self, signed: SignedOrder) -> datetime:
        """Add a claim of a person, until the time that the order names; return when it ends."""
        order = await take_order(signed, Verb.EXTEND_BLOCK, self._orders)
        until = self._require_extension(order)
        person = hashlib.sha256("\0".join(order.actor.identity.person).encode()).hexdigest()[:16]
        claim = Claim(owner=f"person:{person}", expires_at=until, by=order.actor.label)
        self._claims = self._claims.at(workflow.now()).plus(claim)
        self._note_claims(None)

        detail = f"until {until:%FT%TZ}" + (f" · {order.reason}" if order.reason else "")
        self._note(RecordKind.BLOCK_EXTENDED, None, order.actor, detail)
        await self._extend_mark(until)
        return until

    async def _extend_mark(self, until: datetime) -> None:
        """Write the extension into the entry; without that it holds as long as this workflow."""
        request = ExtendPolicy(policy=self._block.block.policy, until=until)
        # One after the other, so that the last one is the latest.
        async with self._marking:
            with suppress(ActivityError):
                await workflow.execute_activity_method(
                    PolicyActivities.extend_policy, request, **EXTEND_MARK
                )

    @extend.validator
    def _validate_extend(self, signed: SignedOrder) -> None:
        self._require_extension(require_order(signed, Verb.EXTEND_BLOCK, self._orders))

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

    def _note_claims(self, extending: Claim | None) -> None:
        self._block = self._block.model_copy(update={"claims": self._claims})
        self._changes += 1
        workflow.upsert_memo({names.BLOCK_MEMO: self._block})
        if extending is not None:
            detail = f"until {extending.expires_at:%FT%TZ} · wanted by {extending.case}"
            self._note(RecordKind.BLOCK_EXTENDED, detail=detail)

    def _continue_as_new(self) -> None:
        workflow.continue_as_new(self._block)

    def _note(
        self,
        kind: RecordKind,
        ended: EndedPolicy | None = None,
        actor: Actor | None = None,
        detail: str = "",
    ) -> None:
        record = AuditRecord(
            id="",
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
        self._unwritten.append(self._record_ids.identify(record))
