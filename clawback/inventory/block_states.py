"""Whether blocks of ours still stand as we made them: a comparison with the list of the account."""

from collections.abc import Mapping
from enum import StrEnum

from clawback.cloudflare import BlockedSender, EmailSecurity, pages
from clawback.temporal.block_gateway import ActiveBlock


class BlockState(StrEnum):
    """How a block is at the API."""

    OURS = "ours"
    CHANGED = "changed"
    """Somebody has edited it: it is left alone when it ends."""
    GONE = "gone"
    UNKNOWN = "unknown"


def compare_block(block: ActiveBlock, policies: Mapping[str, BlockedSender] | None) -> BlockState:
    """Compare a block with the entries of the account by id; None if they could not be read."""
    if policies is None:
        return BlockState.UNKNOWN
    policy = policies.get(block.id)
    if policy is None:
        return BlockState.GONE
    return BlockState.OURS if block.block.policy.is_still(policy) else BlockState.CHANGED


async def read_block_policies(api: EmailSecurity) -> dict[str, BlockedSender]:
    """Read all blocks of the account by id.

    Raises:
        ApiError: the API refused, or does not answer.

    """
    read = pages(api.settings.block_senders.list)
    return {record.id: record async for page in read for record in page.items}
