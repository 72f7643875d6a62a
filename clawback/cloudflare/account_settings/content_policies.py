"""Content policies: custom detections by pattern in subject or body.

Source: SDK 5.7 and later; not in the OpenAPI document of August 2026.
"""

from typing import NotRequired, TypedDict, Unpack

from clawback.cloudflare.account_settings.policy_list import ListOptions, Policy, PolicyList
from clawback.cloudflare.paging import Page
from clawback.cloudflare.wire_model import Flag, Text, Texts


class ContentPolicy(Policy):
    """One pattern to look for in subjects or bodies."""

    name = Text()
    pattern = Text()
    enabled = Flag()
    notes = Text()
    targets = Texts()


class ContentPolicyFields(TypedDict, total=False):
    """Fields that can be changed; `targets` are SUBJECT and BODY."""

    name: str
    pattern: str
    enabled: bool
    targets: list[str]
    notes: str | None


class NewContentPolicy(TypedDict):
    """Fields of a new content policy; see `ContentPolicyFields`."""

    name: str
    pattern: str
    enabled: bool
    targets: list[str]
    notes: NotRequired[str | None]


class ContentPolicyFilters(ListOptions, total=False):
    """List filters."""

    name: str | None
    enabled: bool | None


class ContentPolicies(PolicyList[ContentPolicy]):
    """`settings/content_policies`."""

    path = "settings/content_policies"
    record_type = ContentPolicy

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[ContentPolicyFilters]
    ) -> Page[ContentPolicy]:
        """List content policies, one page at a time: GET. Permission: Read."""
        return await self._list_page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewContentPolicy]) -> ContentPolicy:
        """Create a content policy: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[ContentPolicyFields]) -> ContentPolicy:
        """Change a content policy: PATCH. Permission: Write."""
        return await self._edit(id, fields)
