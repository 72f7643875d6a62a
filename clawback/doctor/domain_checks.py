"""Domains of the account: active, and integrated, without which no mail there can be moved."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from clawback.cloudflare import ApiError, Domain, EmailSecurity, Share, pages
from clawback.doctor.check import Finding, ok, problem, warning
from clawback.local.account_check import open_account
from clawback.local.installation import Installation
from clawback.model.mode import Mode
from clawback.model.providers import Provider, read_provider
from clawback.model.texts import bounded, plural
from clawback.rules import RuleErrors, RuleSet, load_rules
from clawback.rules.lint.lacking_folders import describe_lacking
from clawback.settings import Settings

_MAX_NAMED = 5
_DASHBOARD = "Email Security in the dashboard, Settings, Domains"


async def check_domains(settings: Settings, installation: Installation) -> Iterable[Finding]:
    """Read the domains; no finding if they cannot be read, which the permission checks report."""
    has_credentials = settings.cloudflare_api_token and settings.cloudflare_account_id
    if installation.simulator_port is not None or not has_credentials:
        return []

    with suppress(ApiError, ValueError):
        async with open_account(settings) as api:
            domains = await _read_domains(api.on(Share.PEOPLE))
        found = domain_findings(domains, settings.ceiling)
        if (rules := _read_rules(settings)) is not None:
            found += provider_findings(domains, settings.providers, rules)
        return found

    return []


async def _read_domains(api: EmailSecurity) -> list[Domain]:
    return [domain async for page in pages(api.settings.domains.list) for domain in page.items]


def domain_findings(domains: Sequence[Domain], ceiling: Mode) -> list[Finding]:
    """Judge the domains: withdrawn authorizations, missing integrations, inactive domains."""
    if not domains:
        found = "the account has no domain in Email Security"
        return [warning("domains", found, f"add one: {_DASHBOARD}")]

    findings = [*_withdrawn(domains), *_not_integrated(domains, ceiling), *_inactive(domains)]
    if findings:
        return findings

    providers = sorted({one.product for one in _providers(domains)})
    where = f": {', '.join(providers)}" if providers else ""
    return [ok("domains", f"{plural(len(domains), 'domain')}, active and integrated{where}")]


def provider_findings(
    domains: Sequence[Domain], stated: Iterable[Provider], rules: RuleSet
) -> Iterable[Finding]:
    """Name the folders of rules that a provider of the account lacks, and what is used instead.

    `stated` are the providers of the settings. A warning where no provider is known, and one may
    lack a folder.
    """
    providers = set(_providers(domains))
    silent = [
        domain
        for domain in domains
        if domain.integration_id is not None and read_provider(domain.inbox_provider) is None
    ]
    if silent:
        providers |= set(stated)

    yield from (ok("providers", text) for text in describe_lacking(rules, providers))
    if silent and not providers and (missing := list(describe_lacking(rules, Provider))):
        yield warning(
            "providers",
            f"the API names no provider for {_names(silent)}; {'; '.join(missing)}, if it is known",
            "name it in CLAWBACK_PROVIDERS",
        )


def _providers(domains: Iterable[Domain]) -> Iterable[Provider]:
    for domain in domains:
        if (provider := read_provider(domain.inbox_provider)) is not None:
            yield provider


def _read_rules(settings: Settings) -> RuleSet | None:
    """Load the rules; None if they are refused: another check says so."""
    try:
        return load_rules(settings.rules, settings.safety)
    except (RuleErrors, OSError):
        return None


def _withdrawn(domains: Sequence[Domain]) -> Iterable[Finding]:
    withdrawn = [domain for domain in domains if domain.authorization.get("authorized") is False]
    if not withdrawn:
        return

    reasons = (domain.authorization.get("status_message") for domain in withdrawn)
    reason = next((text for text in reasons if isinstance(text, str) and text), "")
    found = f"Cloudflare is no longer authorized for {_names(withdrawn)}"
    if reason:
        found += f" ({' '.join(bounded(reason).split())})"

    remedy = f"authorize it again, or mail there cannot be moved or previewed: {_DASHBOARD}"
    yield problem("domains", found, remedy)


def _not_integrated(domains: Sequence[Domain], ceiling: Mode) -> Iterable[Finding]:
    """A problem only if no domain is integrated and clawback is meant to move mail."""
    missing = [domain for domain in domains if domain.integration_id is None]
    if not missing:
        return

    is_problem = len(missing) == len(domains) and ceiling is not Mode.SHADOW
    build = problem if is_problem else warning
    yield build(
        "domains",
        f"no integration for {_names(missing)}: mail there cannot be moved",
        "connect Microsoft 365 or Google Workspace, or exclude these domains from rules that move: "
        f"{_DASHBOARD}",
    )


def _inactive(domains: Sequence[Domain]) -> Iterable[Finding]:
    inactive = [domain for domain in domains if domain.status is not None and not domain.is_active]
    if inactive:
        states = ", ".join(sorted({(domain.status or "").lower() for domain in inactive}))
        proof = "`clawback api domains verification ID` shows the proof of ownership"
        found = f"not active ({states}): {_names(inactive)}"
        yield warning("domains", found, f"{proof}; see {_DASHBOARD}")


def _names(domains: Sequence[Domain]) -> str:
    names = ", ".join(domain.domain or domain.id for domain in domains[:_MAX_NAMED])
    more = len(domains) - _MAX_NAMED
    return f"{names} and {more} more" if more > 0 else names
