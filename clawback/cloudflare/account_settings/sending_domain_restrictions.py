"""Sending domain restrictions: domains that require TLS. Source: reference §1.6, OpenAPI."""

from typing import ClassVar, NotRequired, TypedDict, Unpack

from clawback.cloudflare.account_settings.policy_list import ListOptions, Policy, PolicyList
from clawback.cloudflare.paging import Page
from clawback.cloudflare.wire_model import Text, Texts


class SendingRestriction(Policy):
    """One domain that must be sent to over TLS; `exclude` lists exempt subdomains."""

    domain = Text()
    exclude = Texts()


class NewSendingRestriction(TypedDict):
    """Fields of a new restriction."""

    domain: str
    exclude: list[str]
    comments: NotRequired[str | None]


class SendingRestrictionFields(TypedDict, total=False):
    """Fields that can be changed."""

    domain: str
    exclude: list[str]
    comments: str | None


class SendingDomainRestrictions(PolicyList[SendingRestriction]):
    """`settings/sending_domain_restrictions`; its batch can only delete."""

    path = "settings/sending_domain_restrictions"
    batch_kinds: ClassVar[tuple[str, ...]] = ("deletes",)
    record_type = SendingRestriction

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[ListOptions]
    ) -> Page[SendingRestriction]:
        """List sending domain restrictions, one page at a time: GET. Permission: Read."""
        return await self._list_page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewSendingRestriction]) -> SendingRestriction:
        """Restrict a domain: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[SendingRestrictionFields]) -> SendingRestriction:
        """Change a restriction: PATCH. Permission: Write."""
        return await self._edit(id, fields)
