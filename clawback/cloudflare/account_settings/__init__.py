"""The policy lists of the account, one module per API resource under `settings/`.

To add a resource, add a module and one attribute to `AccountSettings`; the operation catalogue, the
`clawback api` commands and the API page of the docs follow from it.
"""

from clawback.cloudflare.account_settings.allow_policies import AllowPolicies
from clawback.cloudflare.account_settings.block_senders import BlockSenders
from clawback.cloudflare.account_settings.content_policies import ContentPolicies
from clawback.cloudflare.account_settings.domains import Domains
from clawback.cloudflare.account_settings.impersonation_registry import ImpersonationRegistry
from clawback.cloudflare.account_settings.sending_domain_restrictions import (
    SendingDomainRestrictions,
)
from clawback.cloudflare.account_settings.trusted_domains import TrustedDomains
from clawback.cloudflare.account_settings.url_ignore_patterns import UrlIgnorePatterns
from clawback.cloudflare.transport import Transport


class AccountSettings:
    """Every policy list of the account; attributes are named as in the API."""

    allow_policies: AllowPolicies
    block_senders: BlockSenders
    content_policies: ContentPolicies
    domains: Domains
    impersonation_registry: ImpersonationRegistry
    sending_domain_restrictions: SendingDomainRestrictions
    trusted_domains: TrustedDomains
    url_ignore_patterns: UrlIgnorePatterns

    def __init__(self, transport: Transport) -> None:
        self.allow_policies = AllowPolicies(transport)
        self.block_senders = BlockSenders(transport)
        self.content_policies = ContentPolicies(transport)
        self.domains = Domains(transport)
        self.impersonation_registry = ImpersonationRegistry(transport)
        self.sending_domain_restrictions = SendingDomainRestrictions(transport)
        self.trusted_domains = TrustedDomains(transport)
        self.url_ignore_patterns = UrlIgnorePatterns(transport)
