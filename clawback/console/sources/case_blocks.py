"""Finds the blocks that a case made or claims, from the memos of their workflows."""

import asyncio
from collections.abc import Sequence
from typing import Final

from temporalio.service import RPCError

from clawback.temporal.block_gateway import ActiveBlock, BlockGateway
from clawback.temporal.names import case_and_part

_PATIENCE: Final = 2.0
"""Seconds; the page of a case does without them."""
MOST_SHOWN: Final = 20


async def find_case_blocks(blocks: BlockGateway, case_id: str) -> Sequence[ActiveBlock] | None:
    """Return the blocks of a case, with all its parts; None if the server does not answer soon."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return [block async for block in blocks.list_active() if _concerns(block, case_id)]
    except (TimeoutError, RPCError):
        return None


def _concerns(block: ActiveBlock, case_id: str) -> bool:
    cases = [block.case, *(claim.case for claim in block.claims.kept)]
    return any(case and case_and_part(case)[0] == case_id for case in cases)
