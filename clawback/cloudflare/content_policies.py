"""Policies about what is in a mail: its own detections by pattern, and links that are left alone.

Source: OpenAPI, SDK 5.9.0.
"""

from typing import NotRequired, TypedDict, Unpack

from clawback.cloudflare.paging import Page
from clawback.cloudflare.policies import ListOptions, Policies, Policy
from clawback.cloudflare.wire import Flag, Text, Texts


class UrlIgnorePattern(Policy):
    """One regular expression of links that are not rewritten."""

    pattern: Text = None


class UrlIgnoreFields(TypedDict, total=False):
    """What may be changed on a link pattern."""

    pattern: str
    comments: str | None


class NewUrlIgnorePattern(TypedDict):
    """What a link pattern is made of."""

    pattern: str
    comments: NotRequired[str | None]


class UrlIgnorePatterns(Policies[UrlIgnorePattern]):
    """`settings/url_ignore_patterns`; its list takes nothing but paging."""

    path = "settings/url_ignore_patterns"
    kind = UrlIgnorePattern

    async def list(self, *, page: int = 1, per_page: int = 1000) -> Page[UrlIgnorePattern]:
        """Read one page: GET. Permission: Read."""
        return await self._page({}, page, per_page)

    async def create(self, **fields: Unpack[NewUrlIgnorePattern]) -> UrlIgnorePattern:
        """Leave links alone: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[UrlIgnoreFields]) -> UrlIgnorePattern:  # noqa: A002 - the API's word
        """Change a link pattern: PATCH. Permission: Write."""
        return await self._edit(id, fields)


class ContentPolicy(Policy):
    """One pattern that is looked for in subjects or bodies."""

    name: Text = None
    pattern: Text = None
    enabled: Flag = None
    notes: Text = None
    targets: Texts = ()


class ContentFields(TypedDict, total=False):
    """What may be changed on a content policy; `targets` are SUBJECT and BODY."""

    name: str
    pattern: str
    enabled: bool
    targets: list[str]
    notes: str | None


class NewContentPolicy(TypedDict):
    """What a content policy is made of; see `ContentFields`."""

    name: str
    pattern: str
    enabled: bool
    targets: list[str]
    notes: NotRequired[str | None]


class ContentFilters(ListOptions, total=False):
    """What content policies are listed by."""

    name: str | None
    enabled: bool | None


class ContentPolicies(Policies[ContentPolicy]):
    """`settings/content_policies` (SDK 5.7 and later.

    Not in the OpenAPI document of August 2026).
    """

    path = "settings/content_policies"
    kind = ContentPolicy

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[ContentFilters]
    ) -> Page[ContentPolicy]:
        """Read one page: GET. Permission: Read."""
        return await self._page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewContentPolicy]) -> ContentPolicy:
        """Look for a pattern: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[ContentFields]) -> ContentPolicy:  # noqa: A002 - the API's word
        """Change a content policy: PATCH. Permission: Write."""
        return await self._edit(id, fields)
