"""The block list: what is blocked gets *Malicious* from now on; mail already delivered stays where it is. Source: reference §1.6, §2.5."""

from clawback.cloudflare.calls import Call, Method, page_size, query, short_text
from clawback.cloudflare.operations import Operations
from clawback.cloudflare.paging import Page
from clawback.cloudflare.records import BlockedSender

PATTERN_TYPES = frozenset({"EMAIL", "DOMAIN", "IP"})


class BlockSenders(Operations):
    """Reads and writes the block list. Nothing says that a pattern is unique there: look before you create."""

    async def block_senders(
        self, *, pattern: str | None = None, pattern_type: str | None = None, page: int = 1, per_page: int = 1000
    ) -> Page[BlockedSender]:
        """Read one page of the list: GET `settings/block_senders`; `pattern` must match exactly. Permission: Read."""
        values = {"pattern": pattern, "pattern_type": pattern_type, "page": page, "per_page": page_size(per_page)}
        return await self._counted(Call(Method.GET, "settings/block_senders", query=query(values)), BlockedSender, page, per_page)

    async def block_sender(self, id: str) -> BlockedSender:  # noqa: A002 - the API's word
        """Read one entry: GET `settings/block_senders/{id}`. Permission: Read."""
        return await self._one(Call(Method.GET, "settings/block_senders/{id}", (id,)), BlockedSender)

    async def create_block_sender(self, *, pattern: str, pattern_type: str, comments: str) -> BlockedSender:
        """Block a literal pattern (EMAIL, DOMAIN or IP): POST `settings/block_senders`, 201. Permission: Write.

        After `UnknownOutcome` list by `pattern` before repeating, or there may be two.

        Raises:
            ValueError: no such pattern type, or a text that is empty or longer than 1,024 characters.
            ApiError: see `errors`; `Rejected` for a pattern that the API does not take.

        """
        if pattern_type not in PATTERN_TYPES:
            raise ValueError(f"pattern_type must be one of {', '.join(sorted(PATTERN_TYPES))}")
        body = {
            "pattern": short_text("pattern", pattern, empty=False),
            "pattern_type": pattern_type,
            "is_regex": False,
            "comments": short_text("comments", comments),
        }
        return await self._one(Call(Method.POST, "settings/block_senders", body=body), BlockedSender)

    async def delete_block_sender(self, id: str) -> None:  # noqa: A002 - the API's word
        """Remove one entry: DELETE `settings/block_senders/{id}`. Permission: Write. `NotFound` where it is gone already."""
        await self._connection.confirm(Call(Method.DELETE, "settings/block_senders/{id}", (id,)))
