"""Policies about the account itself: protected names, its domains, and the rarer lists.

Source: reference §1.6, OpenAPI.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, NotRequired, TypedDict, Unpack

from pydantic import Field

from clawback.cloudflare.paging import Page
from clawback.cloudflare.policies import ListOptions, Policies, Policy, checked
from clawback.cloudflare.requests import ApiRequest, Method
from clawback.cloudflare.wire import Fields, Flag, Moment, Number, Text, Texts, Wire


class ProtectedName(Policy):
    """One person that nobody may pretend to be.

    `provenance` A1S_INTERNAL is manual; a directory's entries cannot be changed.
    """

    name: Text = None
    email: Text = None
    is_email_regex: Flag = None
    provenance: Text = None
    directory_id: Number = None
    directory_node_id: Number = None


class NewProtectedName(TypedDict):
    """What an entry of the registry is made of."""

    name: str
    email: str
    is_email_regex: bool
    comments: NotRequired[str | None]
    directory_id: NotRequired[int | None]
    directory_node_id: NotRequired[int | None]
    provenance: NotRequired[str]


class ProtectedNameFields(TypedDict, total=False):
    """What may be changed on an entry of the registry."""

    name: str
    email: str
    is_email_regex: bool
    comments: str | None


class ProtectedNameFilters(ListOptions, total=False):
    """What the registry is listed by."""

    provenance: str | None


class ImpersonationRegistry(Policies[ProtectedName]):
    """`settings/impersonation_registry`; it takes no batch."""

    path = "settings/impersonation_registry"
    batched = ()
    kind = ProtectedName

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[ProtectedNameFilters]
    ) -> Page[ProtectedName]:
        """Read one page: GET. Permission: Read."""
        return await self._page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewProtectedName]) -> ProtectedName:
        """Protect a name: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[ProtectedNameFields]) -> ProtectedName:  # noqa: A002 - the API's word
        """Change an entry: PATCH. Permission: Write."""
        return await self._edit(id, fields)


class Domain(Policy):
    """One domain of the account.

    `status` is lower case in one source and upper case in another: compare without case.
    """

    domain: Text = None
    status: Text = None
    folder: Text = None
    transport: Text = None
    integration_id: Text = None
    inbox_provider: Text = None
    dmarc_status: Text = None
    spf_status: Text = None
    lookback_hops: Number = None
    require_tls_inbound: Flag = None
    require_tls_outbound: Flag = None
    regions: Texts = ()
    ip_restrictions: Texts = ()
    drop_dispositions: Texts = ()
    allowed_delivery_modes: Texts = ()
    authorization: Fields = Field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether the domain is in service."""
        return (self.status or "").lower() == "active"


class DomainFields(TypedDict, total=False):
    """What may be changed on a domain; its name may not."""

    allowed_delivery_modes: list[str]
    drop_dispositions: list[str]
    ip_restrictions: list[str]
    regions: list[str]
    folder: str
    integration_id: str | None
    lookback_hops: int
    require_tls_inbound: bool
    require_tls_outbound: bool
    transport: str


class DomainSettings(TypedDict):
    """All that a domain is made of but its name."""

    allowed_delivery_modes: list[str]
    drop_dispositions: list[str]
    ip_restrictions: list[str]
    regions: list[str]
    folder: NotRequired[str]
    integration_id: NotRequired[str | None]
    lookback_hops: NotRequired[int]
    require_tls_inbound: NotRequired[bool]
    require_tls_outbound: NotRequired[bool]
    transport: NotRequired[str]


class NewDomain(DomainSettings):
    """What a new domain is made of."""

    domain: str


class DomainFilters(ListOptions, total=False):
    """What domains are listed by; `domain` may name several."""

    domain: list[str] | None
    status: str | None
    integration_id: str | None
    allowed_delivery_mode: str | None
    active_delivery_mode: str | None


class Verification(Wire):
    """The TXT record that proves a domain to be ours."""

    status: Text = None
    txt_record_name: Text = None
    txt_record_value: Text = None
    last_checked_at: Moment = None


class Domains(Policies[Domain]):
    """`settings/domains`.

    The deprecated DELETE of the collection is not offered: several go through `batch`.
    """

    path = "settings/domains"
    kind = Domain

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[DomainFilters]
    ) -> Page[Domain]:
        """Read one page: GET. Permission: Read."""
        return await self._page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewDomain]) -> Domain:
        """Add a domain: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[DomainFields]) -> Domain:  # noqa: A002 - the API's word
        """Change a domain: PATCH. Permission: Write."""
        return await self._edit(id, fields)

    async def replace(self, id: str, **fields: Unpack[DomainSettings]) -> Domain:  # noqa: A002 - the API's word
        """Set all of a domain but its name: PUT.

        Permission: Write (assumed; the document names none).
        """
        body: Mapping[str, Any] = checked(fields)
        return await self._one(
            ApiRequest(Method.PUT, f"{self.path}/{{id}}", (id,), body=body), Domain
        )

    async def verification(self, id: str) -> Verification | None:  # noqa: A002 - the API's word
        """Read what proves a domain: GET `settings/domains/{id}/verification`.

        None where nothing is needed (204). Permission: Read.
        """
        call = ApiRequest(Method.GET, f"{self.path}/{{id}}/verification", (id,))
        answer = await self._connection.send(call)
        return (
            None
            if answer.status == HTTPStatus.NO_CONTENT
            else self._record(call, self._connection.read(call, answer), Verification)
        )


class SendingRestriction(Policy):
    """One domain that must be sent to over TLS, with the subdomains that need not."""

    domain: Text = None
    exclude: Texts = ()


class NewSendingRestriction(TypedDict):
    """What a restriction is made of."""

    domain: str
    exclude: list[str]
    comments: NotRequired[str | None]


class SendingRestrictionFields(TypedDict, total=False):
    """What may be changed on a restriction."""

    domain: str
    exclude: list[str]
    comments: str | None


class SendingRestrictions(Policies[SendingRestriction]):
    """`settings/sending_domain_restrictions`; its batch only deletes."""

    path = "settings/sending_domain_restrictions"
    batched: ClassVar[tuple[str, ...]] = ("deletes",)
    kind = SendingRestriction

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[ListOptions]
    ) -> Page[SendingRestriction]:
        """Read one page: GET. Permission: Read."""
        return await self._page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewSendingRestriction]) -> SendingRestriction:
        """Restrict a domain: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[SendingRestrictionFields]) -> SendingRestriction:  # noqa: A002 - the API's word
        """Change a restriction: PATCH. Permission: Write."""
        return await self._edit(id, fields)
