"""Allow policies: senders and recipients exempt from detections. Source: reference §1.6, §2.5.

Regular expressions are Java's. They are matched against envelope from, header from, reply-to,
originating IP and server name.
"""

from collections.abc import Mapping
from typing import ClassVar, NotRequired, TypedDict, Unpack

from clawback.cloudflare.account_settings.policy_list import ListOptions, Policy, PolicyList
from clawback.cloudflare.paging import Page
from clawback.cloudflare.wire_model import Flag, Text


class AllowPolicy(Policy):
    """One allowed pattern and its exemptions."""

    renamed: ClassVar[Mapping[str, str]] = {
        "last_modified": "modified_at",
        "is_recipient": "is_exempt_recipient",
        "is_sender": "is_trusted_sender",
        "is_spoof": "is_acceptable_sender",
    }

    pattern = Text()
    pattern_type = Text()
    is_regex = Flag()
    is_exempt_recipient = Flag()
    is_trusted_sender = Flag()
    is_acceptable_sender = Flag()
    verify_sender = Flag()


class AllowPolicyFields(TypedDict, total=False):
    """Fields that can be changed.

    `is_trusted_sender` bypasses all detections and link following, `is_acceptable_sender` only
    Spam, Spoof and Bulk, `is_exempt_recipient` everything for that recipient. With `verify_sender`
    the policy applies only if DMARC, SPF or DKIM passes.
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
    """Fields of a new allow policy; see `AllowPolicyFields`."""

    pattern: str
    pattern_type: str
    is_regex: bool
    is_exempt_recipient: bool
    is_trusted_sender: bool
    is_acceptable_sender: bool
    verify_sender: bool
    comments: NotRequired[str | None]


class AllowPolicyFilters(ListOptions, total=False):
    """List filters; `pattern` matches exactly."""

    pattern: str | None
    pattern_type: str | None
    is_exempt_recipient: bool | None
    is_trusted_sender: bool | None
    is_acceptable_sender: bool | None
    verify_sender: bool | None


class AllowPolicies(PolicyList[AllowPolicy]):
    """`settings/allow_policies`."""

    path = "settings/allow_policies"
    list_filters: ClassVar[Mapping[str, str]] = {"pattern": "pattern"}
    record_type = AllowPolicy

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[AllowPolicyFilters]
    ) -> Page[AllowPolicy]:
        """List allow policies, one page at a time: GET. Permission: Read."""
        return await self._list_page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewAllowPolicy]) -> AllowPolicy:
        """Create an allow policy: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[AllowPolicyFields]) -> AllowPolicy:
        """Change an allow policy: PATCH. Permission: Write."""
        return await self._edit(id, fields)
