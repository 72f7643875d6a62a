"""The domains of the account, `settings/domains`. Source: reference §1.6, OpenAPI."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NotRequired, TypedDict, Unpack

from clawback.cloudflare.account_settings.policy_list import (
    ListOptions,
    Policy,
    PolicyList,
    check_texts,
)
from clawback.cloudflare.api_request import ApiRequest, Method
from clawback.cloudflare.paging import Page, pages
from clawback.cloudflare.wire_model import Fields, Flag, Number, Text, Texts, Timestamp, WireModel
from clawback.model.addresses import PatternKind, pattern_problem
from clawback.model.notations import canonical_domain
from clawback.model.providers import Provider, read_provider


class Domain(Policy):
    """One domain of the account.

    `status` is lower case in one source and upper case in another: compare without case.
    """

    domain = Text()
    status = Text()
    folder = Text()
    transport = Text()
    integration_id = Text()
    inbox_provider = Text()
    dmarc_status = Text()
    spf_status = Text()
    lookback_hops = Number()
    require_tls_inbound = Flag()
    require_tls_outbound = Flag()
    regions = Texts()
    ip_restrictions = Texts()
    drop_dispositions = Texts()
    allowed_delivery_modes = Texts()
    authorization = Fields()

    @property
    def is_active(self) -> bool:
        """Whether Email Security processes the domain."""
        return (self.status or "").lower() == "active"


class DomainFields(TypedDict, total=False):
    """Fields that can be changed; the name cannot."""

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
    """All settings of a domain except its name."""

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
    """Fields of a new domain."""

    domain: str


class DomainFilters(ListOptions, total=False):
    """List filters; `domain` takes several names."""

    domain: list[str] | None
    status: str | None
    integration_id: str | None
    allowed_delivery_mode: str | None
    active_delivery_mode: str | None


class Verification(WireModel):
    """The TXT record that proves ownership of a domain."""

    status = Text()
    txt_record_name = Text()
    txt_record_value = Text()
    last_checked_at = Timestamp()


class Domains(PolicyList[Domain]):
    """`settings/domains`.

    The deprecated DELETE of the collection is not offered; use `batch` to delete several.
    """

    path = "settings/domains"
    record_type = Domain

    async def list(
        self, *, page: int = 1, per_page: int = 1000, **filters: Unpack[DomainFilters]
    ) -> Page[Domain]:
        """List domains, one page at a time: GET. Permission: Read."""
        return await self._list_page(filters, page, per_page)

    async def create(self, **fields: Unpack[NewDomain]) -> Domain:
        """Add a domain: POST, 201. Permission: Write."""
        return await self._create(fields)

    async def edit(self, id: str, **fields: Unpack[DomainFields]) -> Domain:
        """Change a domain: PATCH. Permission: Write."""
        return await self._edit(id, fields)

    async def replace(self, id: str, **fields: Unpack[DomainSettings]) -> Domain:
        """Set all settings of a domain except its name: PUT.

        Permission: Write (assumed; the document names none).
        """
        body: Mapping[str, Any] = check_texts(fields)
        request = ApiRequest(Method.PUT, f"{self.path}/{{id}}", (id,), body=body)
        return await self._fetch_one(request, Domain)

    async def verification(self, id: str) -> Verification | None:
        """Read the proof of ownership of a domain: GET `settings/domains/{id}/verification`.

        None if no verification is needed (204). Permission: Read.
        """
        request = ApiRequest(Method.GET, f"{self.path}/{{id}}/verification", (id,))
        response = await self._transport.send(request)
        if response.status == HTTPStatus.NO_CONTENT:
            return None
        return self._parse_record(request, self._transport.read(request, response), Verification)


async def account_domains(domains: Domains) -> dict[str, Provider | None]:
    """Read all domains of the account, whatever their status, and the provider of each.

    Names that are not valid domains are left out. A provider is None where the API does not say.
    Permission: Read.

    Raises:
        ApiError: see `errors`; `PermissionDenied` if the token cannot list domains.

    """
    found: dict[str, Provider | None] = {}
    async for page in pages(domains.list):
        for item in page.items:
            found[canonical_domain(item.domain or "")] = read_provider(item.inbox_provider)
    return {
        name: provider
        for name, provider in found.items()
        if pattern_problem(name, PatternKind.DOMAIN) is None
    }
