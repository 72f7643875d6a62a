"""Trusted domains: not suspicious for being new or similar to ours. Source: reference §1.6."""

from collections.abc import Mapping
from typing import ClassVar, NotRequired, TypedDict, Unpack

from clawback.cloudflare.account_settings.policy_list import ListOptions, Policy, PolicyList
from clawback.cloudflare.paging import Page
from clawback.cloudflare.wire_model import Flag, Text


class TrustedDomain(Policy):
    """One trusted pattern: `is_recent` accepts new domains, `is_similarity` lookalikes."""

    pattern = Text()
    is_regex = Flag()
    is_recent = Flag()
    is_similarity = Flag()


class TrustedDomainFields(TypedDict, total=False):
    """Fields that can be changed."""

    pattern: str
    is_regex: bool
    is_recent: bool
    is_similarity: bool
    comments: str | None


class NewTrustedDomain(TypedDict):
    """Fields of a new trusted domain."""

    pattern: str
    is_regex: bool
    is_recent: bool
    is_similarity: bool
    comments: NotRequired[str | None]


class TrustedDomainFilters(ListOptions, total=False):
    """List filters; `pattern` matches exactly."""

    pattern: str | None
    is_recent: bool | None
    is_similarity: bool | None


class TrustedDomains(PolicyList[TrustedDomain]):
    """`settings/trusted_domains`."""

    path = "settings/trusted_domains"
    list_filters: ClassVar[Mapping[str, str]] = {"pattern": "pattern"}
    record_type = TrustedDomain

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[TrustedDomainFilters]
    ) -> Page[TrustedDomain]:
        """List trusted domains, one page at a time: GET. Permission: Read."""
        return await self._list_page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewTrustedDomain]) -> TrustedDomain:
        """Trust a domain: POST, 201. Permission: Write.

        Older servers answer with a list of one, which is accepted too.
        """
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[TrustedDomainFields]) -> TrustedDomain:
        """Change a trusted domain: PATCH. Permission: Write."""
        return await self._edit(id, fields)
