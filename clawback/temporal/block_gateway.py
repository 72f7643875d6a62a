"""Every call on the blocks of ours that stand: list, extend, lift.

Typed, by name; each block has one workflow that will end it.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowExecution, WorkflowHandle, WorkflowUpdateStage
from temporalio.service import RPCError, RPCStatusCode

from clawback.model.blocks import EndedBlock, ExpiringBlock, OwnedBlock, Removal
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime
from clawback.temporal import names
from clawback.temporal.gateway import NoSuchWorkflow
from clawback.temporal.updates import PATIENCE, UpdateRefused, execute_update

T = TypeVar("T")

LIFT_PATIENCE = timedelta(seconds=30)
"""How long `lift` waits to hear that the block is gone; the removal goes on whoever waits."""
_PREFIX = names.expiry_id("")


class StandingBlock(Payload):
    """One block of ours that Temporal knows to stand.

    What it is, why it was made, and when it ends.
    """

    block: OwnedBlock
    rule: str
    case: str
    made_at: UtcDatetime
    expires_at: UtcDatetime

    @property
    def id(self) -> str:
        """The id of the block in the API."""
        return self.block.id


class BlockGateway:
    """Typed access to standing blocks over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def standing(self) -> AsyncIterator[StandingBlock]:
        """List every block of ours whose time is not up.

        Costs one request for a thousand, and no worker needs to run.

        Blocks that a former release made are asked one by one, which takes a worker. The index may
        lag by a second.
        """
        query = f"WorkflowType = '{names.BLOCK_EXPIRY}' AND ExecutionStatus = 'Running'"
        async for execution in self.client.list_workflows(query):
            yield await self._standing(execution)

    async def block(self, block_id: str) -> StandingBlock:
        """Read one block, also one that is so new that the index does not know it.

        Raises:
            NoSuchWorkflow: no block of ours ever had that id.
            Refused: it is over.

        """
        handle = self._handle(block_id)
        try:
            execution = await handle.describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            sentence = f"no block of ours is {_api_id(block_id)} (any more); `clawback block list` names those that stand"
            raise NoSuchWorkflow(sentence) from error
        if execution.close_time is not None:
            raise UpdateRefused(
                f"the block {_api_id(block_id)} is over since {execution.close_time:%Y-%m-%d %H:%M:%S} UTC"
            )
        return await self._standing(execution)

    async def extend(self, block_id: str, until: datetime, by: str, reason: str = "") -> datetime:
        """Let a block stand until later; the answer is when it ends.

        Raises:
            NoSuchWorkflow: no block of ours ever had that id.
            Refused: it is over, or stands until then already.

        """
        return await self._told(self._handle(block_id), names.EXTEND, [until, by, reason], datetime)

    async def lift(
        self, block_id: str, by: str, reason: str = "", patience: timedelta = LIFT_PATIENCE
    ) -> Removal | None:
        """Remove a block now, if it is still ours.

        None where it is not gone yet after `patience`, and will be.

        Raises:
            NoSuchWorkflow: no block of ours ever had that id.
            Refused: it is over already.

        """
        handle = self._handle(block_id)
        await self._told(handle, names.LIFT, [by, reason], type(None))
        try:
            async with asyncio.timeout(patience.total_seconds()):
                ended: EndedBlock = await handle.result()
        except TimeoutError:
            return None
        return ended.removal

    def _handle(self, block_id: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(
            names.expiry_id(_api_id(block_id)), result_type=EndedBlock
        )

    async def _standing(self, execution: WorkflowExecution) -> StandingBlock:
        known: ExpiringBlock | None = await execution.memo_value(
            names.BLOCK_MEMO, None, type_hint=ExpiringBlock
        )
        if known is None:
            handle = self.client.get_workflow_handle(execution.id, run_id=execution.run_id)
            known = await handle.query(names.STANDING, result_type=ExpiringBlock)
        return StandingBlock(
            block=known.block,
            rule=known.rule,
            case=known.case,
            made_at=execution.start_time,
            expires_at=known.expires_at,
        )

    async def _told(
        self, handle: WorkflowHandle[Any, Any], update: str, args: list[Any], answer: type[T]
    ) -> T:
        sent = handle.start_update(
            update, args=args, wait_for_stage=WorkflowUpdateStage.ACCEPTED, result_type=answer
        )
        try:
            return await execute_update(sent, PATIENCE)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                await self.block(handle.id)  # says whether it is over, or never was
            raise


def _api_id(block_id: str) -> str:
    return block_id.removeprefix(_PREFIX)
