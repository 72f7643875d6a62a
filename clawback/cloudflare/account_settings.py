"""All policies of an account in one place: `api.settings.allow_policies.list()` and its like.

Names are the API's.
"""

from clawback.cloudflare.account_policies import Domains, ImpersonationRegistry, SendingRestrictions
from clawback.cloudflare.content_policies import ContentPolicies, UrlIgnorePatterns
from clawback.cloudflare.sender_policies import AllowPolicies, BlockList, TrustedDomains
from clawback.cloudflare.transport import Transport


class AccountSettings:
    """Every kind of policy over one connection."""

    allow_policies: AllowPolicies
    block_senders: BlockList
    content_policies: ContentPolicies
    domains: Domains
    impersonation_registry: ImpersonationRegistry
    sending_domain_restrictions: SendingRestrictions
    trusted_domains: TrustedDomains
    url_ignore_patterns: UrlIgnorePatterns

    def __init__(self, connection: Transport) -> None:
        self.allow_policies = AllowPolicies(connection)
        self.block_senders = BlockList(connection)
        self.content_policies = ContentPolicies(connection)
        self.domains = Domains(connection)
        self.impersonation_registry = ImpersonationRegistry(connection)
        self.sending_domain_restrictions = SendingRestrictions(connection)
        self.trusted_domains = TrustedDomains(connection)
        self.url_ignore_patterns = UrlIgnorePatterns(connection)
