"""The block list, `settings/block_senders`. Source: reference §1.6, §2.5.

New mail that matches gets *Malicious*; delivered mail stays where it is. Nothing documents that a
pattern is unique, so list by `pattern` before you create one.
"""

from collections.abc import Mapping
from typing import ClassVar, NotRequired, TypedDict, Unpack

from clawback.cloudflare.account_settings.policy_list import ListOptions, PolicyList
from clawback.cloudflare.operations.operation_group import OperationGroup
from clawback.cloudflare.paging import Page
from clawback.cloudflare.wire_model import Flag, Identity, Text, Timestamp, WireModel

PATTERN_TYPES = frozenset({"EMAIL", "DOMAIN", "IP"})


class BlockedSender(WireModel):
    """One entry of the block list; clawback marks its own entries in `comments`."""

    renamed: ClassVar[Mapping[str, str]] = {"last_modified": "modified_at"}

    id = Identity()
    pattern = Text()
    pattern_type = Text()
    is_regex = Flag()
    comments = Text()
    created_at = Timestamp()
    modified_at = Timestamp()


class NewBlockedSender(TypedDict):
    """Fields of a new block."""

    pattern: str
    pattern_type: str
    is_regex: bool
    comments: NotRequired[str | None]


class BlockedSenderFields(TypedDict, total=False):
    """Fields that can be changed; `comments=None` clears them."""

    pattern: str
    pattern_type: str
    is_regex: bool
    comments: str | None


class BlockedSenderFilters(ListOptions, total=False):
    """List filters; `pattern` matches exactly."""

    pattern: str | None
    pattern_type: str | None


class BlockSenders(PolicyList[BlockedSender]):
    """`settings/block_senders`: all operations of the API."""

    path = "settings/block_senders"
    list_filters: ClassVar[Mapping[str, str]] = {"pattern": "pattern"}
    record_type = BlockedSender

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[BlockedSenderFilters]
    ) -> Page[BlockedSender]:
        """List blocked senders, one page at a time: GET. Permission: Read."""
        return await self._list_page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewBlockedSender]) -> BlockedSender:
        """Block a pattern: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[BlockedSenderFields]) -> BlockedSender:
        """Change a block: PATCH. Permission: Write."""
        return await self._edit(id, fields)


class BlockShortcuts(OperationGroup):
    """The block list as containment uses it: literal patterns only."""

    async def block_senders(
        self,
        *,
        pattern: str | None = None,
        pattern_type: str | None = None,
        page: int = 1,
        per_page: int = 1000,
    ) -> Page[BlockedSender]:
        """List blocked senders, one page at a time: GET `settings/block_senders`.

        `pattern` must match exactly. Permission: Read.
        """
        return await self._block_list.list(
            pattern=pattern, pattern_type=pattern_type, page=page, per_page=per_page
        )

    async def block_sender(self, id: str) -> BlockedSender:
        """Read one entry: GET `settings/block_senders/{id}`. Permission: Read."""
        return await self._block_list.get(id)

    async def create_block_sender(
        self, *, pattern: str, pattern_type: str, comments: str
    ) -> BlockedSender:
        """Block a literal pattern (EMAIL, DOMAIN or IP): POST `settings/block_senders`, 201.

        Permission: Write. After `UnknownOutcome` list by `pattern` before you retry, or there may
        be two entries.

        Raises:
            ValueError: unknown pattern type, or a text that is empty or longer than 1,024
                characters.
            ApiError: see `errors`; `InvalidRequest` for a pattern that the API rejects.

        """
        if pattern_type not in PATTERN_TYPES:
            raise ValueError(f"pattern_type must be one of {', '.join(sorted(PATTERN_TYPES))}")
        return await self._block_list.create(
            pattern=pattern, pattern_type=pattern_type, is_regex=False, comments=comments
        )

    async def delete_block_sender(self, id: str) -> None:
        """Remove one entry: DELETE `settings/block_senders/{id}`. Permission: Write.

        Raises `NotFound` if it is already gone.
        """
        await self._block_list.delete(id)

    @property
    def _block_list(self) -> BlockSenders:
        return BlockSenders(self._transport)
