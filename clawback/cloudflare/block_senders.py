"""The block list as containment uses it: literal patterns only, in a few words.

All of it is `settings.block_senders`.

What is blocked gets *Malicious* from now on; mail already delivered stays where it is. Source:
reference §1.6, §2.5.
"""

from clawback.cloudflare.operations import Operations
from clawback.cloudflare.paging import Page
from clawback.cloudflare.records import BlockedSender
from clawback.cloudflare.sender_policies import BlockList

PATTERN_TYPES = frozenset({"EMAIL", "DOMAIN", "IP"})


class BlockSenders(Operations):
    """Reads and writes the block list.

    Nothing says that a pattern is unique there: look before you create.
    """

    async def block_senders(
        self,
        *,
        pattern: str | None = None,
        pattern_type: str | None = None,
        page: int = 1,
        per_page: int = 1000,
    ) -> Page[BlockedSender]:
        """Read one page of the list: GET `settings/block_senders`; `pattern` must match exactly.

        Permission: Read.
        """
        return await self._blocks.list(
            pattern=pattern, pattern_type=pattern_type, page=page, per_page=per_page
        )

    async def block_sender(self, id: str) -> BlockedSender:  # noqa: A002 - the API's word
        """Read one entry: GET `settings/block_senders/{id}`. Permission: Read."""
        return await self._blocks.get(id)

    async def create_block_sender(
        self, *, pattern: str, pattern_type: str, comments: str
    ) -> BlockedSender:
        """Block a literal pattern (EMAIL, DOMAIN or IP): POST `settings/block_senders`, 201.

        Permission: Write.

        After `UnknownOutcome` list by `pattern` before repeating, or there may be two.

        Raises:
            ValueError: no such pattern type, or a text that is empty or longer than 1,024
                characters.
            ApiError: see `errors`; `Rejected` for a pattern that the API does not take.

        """
        if pattern_type not in PATTERN_TYPES:
            raise ValueError(f"pattern_type must be one of {', '.join(sorted(PATTERN_TYPES))}")
        return await self._blocks.create(
            pattern=pattern, pattern_type=pattern_type, is_regex=False, comments=comments
        )

    async def delete_block_sender(self, id: str) -> None:  # noqa: A002 - the API's word
        """Remove one entry: DELETE `settings/block_senders/{id}`.

        Permission: Write. `NotFound` where it is gone already.
        """
        await self._blocks.delete(id)

    @property
    def _blocks(self) -> BlockList:
        return BlockList(self._connection)
