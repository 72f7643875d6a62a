"""The impersonation registry: people whose name must not be spoofed. Source: reference §1.6."""

from collections.abc import Mapping
from typing import ClassVar, NotRequired, TypedDict, Unpack

from clawback.cloudflare.account_settings.policy_list import ListOptions, Policy, PolicyList
from clawback.cloudflare.paging import Page
from clawback.cloudflare.wire_model import Flag, Number, Text


class ProtectedName(Policy):
    """One protected person.

    `provenance` A1S_INTERNAL marks a manual entry; entries from a directory cannot be changed.
    """

    name = Text()
    email = Text()
    is_email_regex = Flag()
    provenance = Text()
    directory_id = Number()
    directory_node_id = Number()


class NewProtectedName(TypedDict):
    """Fields of a new entry."""

    name: str
    email: str
    is_email_regex: bool
    comments: NotRequired[str | None]
    directory_id: NotRequired[int | None]
    directory_node_id: NotRequired[int | None]
    provenance: NotRequired[str]


class ProtectedNameFields(TypedDict, total=False):
    """Fields that can be changed."""

    name: str
    email: str
    is_email_regex: bool
    comments: str | None


class ProtectedNameFilters(ListOptions, total=False):
    """List filters."""

    provenance: str | None


class ImpersonationRegistry(PolicyList[ProtectedName]):
    """`settings/impersonation_registry`; it has no batch endpoint, and only full-text search."""

    path = "settings/impersonation_registry"
    list_filters: ClassVar[Mapping[str, str]] = {"search": "email"}
    batch_kinds = ()
    record_type = ProtectedName

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[ProtectedNameFilters]
    ) -> Page[ProtectedName]:
        """List protected names, one page at a time: GET. Permission: Read."""
        return await self._list_page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewProtectedName]) -> ProtectedName:
        """Protect a name: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[ProtectedNameFields]) -> ProtectedName:
        """Change a protected name: PATCH. Permission: Write."""
        return await self._edit(id, fields)
