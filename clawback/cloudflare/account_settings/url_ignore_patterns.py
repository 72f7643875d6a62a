"""URL ignore patterns: links that are not rewritten. Source: OpenAPI."""

from typing import NotRequired, TypedDict, Unpack

from clawback.cloudflare.account_settings.policy_list import Policy, PolicyList
from clawback.cloudflare.paging import Page
from clawback.cloudflare.wire_model import Text


class UrlIgnorePattern(Policy):
    """One regular expression for links that are not rewritten."""

    pattern = Text()


class UrlIgnorePatternFields(TypedDict, total=False):
    """Fields that can be changed."""

    pattern: str
    comments: str | None


class NewUrlIgnorePattern(TypedDict):
    """Fields of a new pattern."""

    pattern: str
    comments: NotRequired[str | None]


class UrlIgnorePatterns(PolicyList[UrlIgnorePattern]):
    """`settings/url_ignore_patterns`; the list has no filters."""

    path = "settings/url_ignore_patterns"
    record_type = UrlIgnorePattern

    async def list(self, *, page: int = 1, per_page: int = 1000) -> Page[UrlIgnorePattern]:
        """List URL ignore patterns, one page at a time: GET. Permission: Read."""
        return await self._list_page({}, page, per_page)

    async def create(self, **fields: Unpack[NewUrlIgnorePattern]) -> UrlIgnorePattern:
        """Create a URL ignore pattern: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[UrlIgnorePatternFields]) -> UrlIgnorePattern:
        """Change a URL ignore pattern: PATCH. Permission: Write."""
        return await self._edit(id, fields)
