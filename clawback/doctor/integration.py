"""The domains of the account.

That each is in service, and that Cloudflare may reach its mailboxes, without which nothing can be
moved.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from clawback.cloudflare import ApiError, Domain, EmailSecurity, Share, pages
from clawback.doctor.check import Finding, ok, problem, warning
from clawback.local.account_check import open_account
from clawback.local.installation import Installation
from clawback.model.mode import Mode
from clawback.model.texts import bounded
from clawback.settings import Settings

_NAMED = 5
_DASHBOARD = "Email Security in the dashboard, Settings, Domains"


async def check_integration(settings: Settings, installation: Installation) -> Iterable[Finding]:
    """Read the domains; nothing is said where they cannot be read, for the permissions say that."""
    if (
        installation.simulator_port is not None
        or settings.cloudflare_api_token is None
        or not settings.cloudflare_account_id
    ):
        return []
    with suppress(ApiError, ValueError):
        async with open_account(settings) as api:
            return integration_findings(await _domains(api.on(Share.PEOPLE)), settings.ceiling)
    return []


async def _domains(api: EmailSecurity) -> list[Domain]:
    return [domain async for page in pages(api.settings.domains.list) for domain in page.items]


def integration_findings(domains: Sequence[Domain], ceiling: Mode) -> list[Finding]:
    """Judge the domains: withdrawn authorizations first, then those without an integration, then those not in service."""
    if not domains:
        return [
            warning(
                "integration",
                "the account has no domain in Email Security",
                f"add one: {_DASHBOARD}",
            )
        ]
    found = [*_withdrawn(domains), *_unreachable(domains, ceiling), *_out_of_service(domains)]
    return found or [
        ok("integration", f"{len(domains):,} domains, all in service, their mailboxes within reach")
    ]


def _withdrawn(domains: Sequence[Domain]) -> Iterable[Finding]:
    gone = [domain for domain in domains if domain.authorization.get("authorized") is False]
    if gone:
        why = next(
            (
                said
                for domain in gone
                if isinstance(said := domain.authorization.get("status_message"), str) and said
            ),
            "",
        )
        said = f"Cloudflare is no longer authorized for {_names(gone)}" + (
            f" ({' '.join(bounded(why).split())})" if why else ""
        )
        yield problem(
            "integration",
            said,
            f"authorize it again, or mail there can be neither moved nor previewed: {_DASHBOARD}",
        )


def _unreachable(domains: Sequence[Domain], ceiling: Mode) -> Iterable[Finding]:
    """Those without an integration: nothing can be moved there.

    A problem where all are, and something is to be moved.
    """
    without = [domain for domain in domains if domain.integration_id is None]
    if not without:
        return
    judge = problem if len(without) == len(domains) and ceiling is not Mode.SHADOW else warning
    remedy = f"connect Microsoft 365 or Google Workspace, or except these domains from rules that move: {_DASHBOARD}"
    yield judge(
        "integration",
        f"no integration reaches the mailboxes of {_names(without)}: nothing can be moved there",
        remedy,
    )


def _out_of_service(domains: Sequence[Domain]) -> Iterable[Finding]:
    waiting = [domain for domain in domains if domain.status is not None and not domain.is_active]
    if waiting:
        states = sorted({(domain.status or "").lower() for domain in waiting})
        remedy = (
            f"`clawback api domains verification ID` shows what proves a domain; see {_DASHBOARD}"
        )
        yield warning(
            "integration", f"not in service ({', '.join(states)}): {_names(waiting)}", remedy
        )


def _names(domains: Sequence[Domain]) -> str:
    shown = [domain.domain or domain.id for domain in domains[:_NAMED]]
    more = len(domains) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
