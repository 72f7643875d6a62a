"""Typed calls on the blocks that clawback made and that still stand: list, extend, lift.

Each block has one workflow, which removes it when its time is up.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from temporalio.client import Client, WorkflowExecution, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from clawback.model.claims import Claims
from clawback.model.identity import Actor
from clawback.model.orders import Verb
from clawback.model.payload import Payload
from clawback.model.policies import EndedPolicy, ExpiringBlock, OwnedBlock, Removal
from clawback.model.times import UtcDatetime
from clawback.temporal import names
from clawback.temporal.data_converter import PayloadRefused
from clawback.temporal.orders import sign_order
from clawback.temporal.workflow_calls import NoSuchWorkflow, UpdateRefused, send_update

T = TypeVar("T")
log = structlog.get_logger("clawback")

LIFT_PATIENCE = timedelta(seconds=30)
"""How long `lift` waits for the removal. The removal itself goes on after that."""
_PREFIX = names.expiry_id("")


class ActiveBlock(Payload):
    """A block of ours that stands: what it matches, which case made it, and who wants it."""

    block: OwnedBlock
    rule: str
    case: str
    made_at: UtcDatetime
    expires_at: UtcDatetime
    claims: Claims

    @property
    def id(self) -> str:
        """The id of the block in the API."""
        return self.block.id


class BlockGateway:
    """Typed access to active blocks over one Temporal client.

    A block id is the id in the API; the id of its workflow (`expiry/<block id>`) is taken too.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    async def list_active(self) -> AsyncIterator[ActiveBlock]:
        """List every block of ours that stands.

        Costs one request per thousand blocks and needs no worker. The index may lag by a second.
        What somebody without our key started under that type is no block.
        """
        query = f"WorkflowType = '{names.BLOCK_EXPIRY}' AND ExecutionStatus = 'Running'"
        async for execution in self.client.list_workflows(query):
            try:
                block = await _read_block(execution)
            except PayloadRefused as refused:
                log.warning("block.refused", workflow=execution.id, error=refused)
            else:
                yield block

    async def read(self, block_id: str) -> ActiveBlock:
        """Read one block, also one that is so new that the index does not know it.

        Raises:
            NoSuchWorkflow: no block of ours ever had that id.
            UpdateRefused: the block has ended.

        """
        try:
            execution = await self._handle(block_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            raise NoSuchWorkflow(
                f"clawback has no block {_api_id(block_id)}; "
                "`clawback block list` lists the active blocks"
            ) from error

        if execution.close_time is not None:
            ended_at = f"{execution.close_time:%Y-%m-%d %H:%M:%S} UTC"
            raise UpdateRefused(f"the block {_api_id(block_id)} ended at {ended_at}")

        return await _read_block(execution)

    async def extend(
        self, block_id: str, until: datetime, actor: Actor, reason: str = ""
    ) -> datetime:
        """Extend a block; return when it ends.

        Raises:
            NoSuchWorkflow: no block of ours ever had that id.
            UpdateRefused: the block has ended, or already stands until then.

        """
        handle = self._handle(block_id)
        order = sign_order(
            self.client,
            Verb.EXTEND_BLOCK,
            handle.id,
            actor,
            reason=reason,
            content=until.isoformat(),
        )
        return await self._update(handle, names.EXTEND, [order], datetime)

    async def lift(
        self, block_id: str, actor: Actor, reason: str = "", patience: timedelta = LIFT_PATIENCE
    ) -> Removal | None:
        """Remove a block now, if it is still ours.

        Returns None if the block is not gone after `patience`. The removal is retried until it is.

        Raises:
            NoSuchWorkflow: no block of ours ever had that id.
            UpdateRefused: the block has ended.

        """
        handle = self._handle(block_id)
        order = sign_order(self.client, Verb.LIFT_BLOCK, handle.id, actor, reason=reason)
        await self._update(handle, names.LIFT, [order], type(None))
        try:
            async with asyncio.timeout(patience.total_seconds()):
                ended: EndedPolicy = await handle.result()
        except TimeoutError:
            return None

        return ended.removal

    def _handle(self, block_id: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(
            names.expiry_id(_api_id(block_id)), result_type=EndedPolicy
        )

    async def _update(
        self, handle: WorkflowHandle[Any, Any], update: str, args: list[Any], result_type: type[T]
    ) -> T:
        try:
            return await send_update(handle, update, args, result_type)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                await self.read(handle.id)  # raises: says whether it has ended or never was
            raise


async def _read_block(execution: WorkflowExecution) -> ActiveBlock:
    known: ExpiringBlock = await execution.memo_value(names.BLOCK_MEMO, type_hint=ExpiringBlock)
    return ActiveBlock(
        block=known.block,
        rule=known.rule,
        case=known.case,
        made_at=known.made_at or execution.start_time,
        expires_at=known.expires_at,
        claims=known.claims.at(datetime.now(UTC)),
    )


def _api_id(block_id: str) -> str:
    return block_id.removeprefix(_PREFIX)
