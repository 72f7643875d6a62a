"""Policies about senders and recipients: blocked, allowed, trusted. Source: reference §1.6, §2.5.

A regular expression here is Java's, matched against envelope from, header from, reply-to,
originating IP and server name.
"""

from collections.abc import Mapping
from typing import ClassVar, NotRequired, TypedDict, Unpack

from clawback.cloudflare.paging import Page
from clawback.cloudflare.policies import ListOptions, Policies, Policy
from clawback.cloudflare.records import BlockedSender
from clawback.cloudflare.wire import Flag, Text


class AllowPolicy(Policy):
    """One allowed pattern and what it is let off."""

    renamed: ClassVar[Mapping[str, str]] = {
        "last_modified": "modified_at",
        "is_recipient": "is_exempt_recipient",
        "is_sender": "is_trusted_sender",
        "is_spoof": "is_acceptable_sender",
    }

    pattern: Text = None
    pattern_type: Text = None
    is_regex: Flag = None
    is_exempt_recipient: Flag = None
    is_trusted_sender: Flag = None
    is_acceptable_sender: Flag = None
    verify_sender: Flag = None


class TrustedDomain(Policy):
    """One domain that is not suspicious for being new or for looking like ours."""

    pattern: Text = None
    is_regex: Flag = None
    is_recent: Flag = None
    is_similarity: Flag = None


class NewBlock(TypedDict):
    """What a block is made of."""

    pattern: str
    pattern_type: str
    is_regex: bool
    comments: NotRequired[str | None]


class BlockFields(TypedDict, total=False):
    """What may be changed on a block; `comments=None` clears them."""

    pattern: str
    pattern_type: str
    is_regex: bool
    comments: str | None


class BlockFilters(ListOptions, total=False):
    """What blocks are listed by; `pattern` matches exactly."""

    pattern: str | None
    pattern_type: str | None


class BlockList(Policies[BlockedSender]):
    """`settings/block_senders`: what matches gets *Malicious*.

    `block_senders` and its like on the client are the daily short forms.
    """

    path = "settings/block_senders"
    kind = BlockedSender

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[BlockFilters]
    ) -> Page[BlockedSender]:
        """Read one page: GET. Permission: Read."""
        return await self._page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewBlock]) -> BlockedSender:
        """Block a pattern: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[BlockFields]) -> BlockedSender:  # noqa: A002 - the API's word
        """Change a block: PATCH. Permission: Write."""
        return await self._edit(id, fields)


class AllowFields(TypedDict, total=False):
    """What may be changed on an allow policy.

    `is_trusted_sender` bypasses all detections and link following, `is_acceptable_sender` only
    Spam, Spoof and Bulk, `is_exempt_recipient` everything for that recipient; with `verify_sender`
    the policy holds only if DMARC, SPF or DKIM passes.
    """

    pattern: str
    pattern_type: str
    is_regex: bool
    is_exempt_recipient: bool
    is_trusted_sender: bool
    is_acceptable_sender: bool
    verify_sender: bool
    comments: str | None


class NewAllowPolicy(TypedDict):
    """What an allow policy is made of; see `AllowFields`."""

    pattern: str
    pattern_type: str
    is_regex: bool
    is_exempt_recipient: bool
    is_trusted_sender: bool
    is_acceptable_sender: bool
    verify_sender: bool
    comments: NotRequired[str | None]


class AllowFilters(ListOptions, total=False):
    """What allow policies are listed by; `pattern` matches exactly."""

    pattern: str | None
    pattern_type: str | None
    is_exempt_recipient: bool | None
    is_trusted_sender: bool | None
    is_acceptable_sender: bool | None
    verify_sender: bool | None


class AllowPolicies(Policies[AllowPolicy]):
    """`settings/allow_policies`."""

    path = "settings/allow_policies"
    kind = AllowPolicy

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[AllowFilters]
    ) -> Page[AllowPolicy]:
        """Read one page: GET. Permission: Read."""
        return await self._page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewAllowPolicy]) -> AllowPolicy:
        """Allow a pattern: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[AllowFields]) -> AllowPolicy:  # noqa: A002 - the API's word
        """Change an allow policy: PATCH. Permission: Write."""
        return await self._edit(id, fields)


class NewTrustedDomain(TypedDict):
    """What a trusted domain is made of.

    `is_recent` lets it be new, `is_similarity` lets it look like another.
    """

    pattern: str
    is_regex: bool
    is_recent: bool
    is_similarity: bool
    comments: NotRequired[str | None]


class TrustedFields(TypedDict, total=False):
    """What may be changed on a trusted domain."""

    pattern: str
    is_regex: bool
    is_recent: bool
    is_similarity: bool
    comments: str | None


class TrustedFilters(ListOptions, total=False):
    """What trusted domains are listed by; `pattern` matches exactly."""

    pattern: str | None
    is_recent: bool | None
    is_similarity: bool | None


class TrustedDomains(Policies[TrustedDomain]):
    """`settings/trusted_domains`."""

    path = "settings/trusted_domains"
    kind = TrustedDomain

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[TrustedFilters]
    ) -> Page[TrustedDomain]:
        """Read one page: GET. Permission: Read."""
        return await self._page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewTrustedDomain]) -> TrustedDomain:
        """Trust a domain: POST, 201.

        Permission: Write. Older servers answered with a list of one, which is read too.
        """
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[TrustedFields]) -> TrustedDomain:  # noqa: A002 - the API's word
        """Change a trusted domain: PATCH. Permission: Write."""
        return await self._edit(id, fields)
