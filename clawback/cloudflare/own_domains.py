"""The account's own domains, as Cloudflare protects them: read rarely, for the never-block list.

Decides nothing.
"""

from clawback.cloudflare import EmailSecurity, pages
from clawback.model.addresses import PatternKind, pattern_problem


async def protected_domains(api: EmailSecurity) -> frozenset[str]:
    """Read the names of all domains of the account, whatever their status: GET `settings/domains`.

    Permission: Read.

    Raises:
        ApiError: see `clawback.cloudflare.errors`; `NotPermitted` where the token may not list
            them.

    """
    found: set[str] = set()
    async for page in pages(api.settings.domains.list):
        found.update((one.domain or "").strip().lower() for one in page.items)
    return frozenset(name for name in found if pattern_problem(name, PatternKind.DOMAIN) is None)
