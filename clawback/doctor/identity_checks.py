"""The identity provider: whether its clock and ours agree enough for people to sign in."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta

from clawback.doctor.account_checks import clock_ahead
from clawback.doctor.check import Finding, ok, problem, warning
from clawback.identity.tokens import LEEWAY
from clawback.settings import Settings

_NAME = "identity provider's clock"
_REMEDY = "set the clock of this machine, and of each console and worker, by NTP"


async def check_provider_clock(settings: Settings) -> Iterable[Finding]:
    """Compare our clock with that of each provider; no finding without one."""
    urls = list(_urls(settings).items())
    found = await asyncio.gather(*(asyncio.to_thread(clock_ahead, url) for _, url in urls))
    return [_judge(name, ahead) for (name, _), ahead in zip(urls, found, strict=True)]


def _urls(settings: Settings) -> Mapping[str, str]:
    urls = {}
    if settings.identity_issuer is not None:
        issuer = settings.identity_issuer.rstrip("/")
        urls["the identity provider"] = f"{issuer}/.well-known/openid-configuration"
    if settings.identity_access_team is not None:
        urls["Cloudflare Access"] = f"{settings.identity_access_team}/cdn-cgi/access/certs"
    return urls


def _judge(name: str, ahead: timedelta | None) -> Finding:
    if ahead is None:
        found = f"{name} does not answer, so its clock is not known and nobody can sign in"
        return problem(_NAME, found, "check its address, and the network of this machine")
    return provider_clock_finding(name, ahead)


def provider_clock_finding(name: str, ahead: timedelta) -> Finding:
    """Judge how far our clock is ahead of a provider's."""
    off, direction = abs(ahead), "ahead of" if ahead > timedelta() else "behind"
    found = f"our clock is {off.total_seconds():.0f} s {direction} that of {name}"
    if off > timedelta(seconds=LEEWAY):
        what = (
            "tokens count as expired before they are, and a recent sign-in as an old one"
            if ahead > timedelta()
            else "new tokens count as not valid yet, so nobody can sign in"
        )
        return problem(_NAME, f"{found}, and {LEEWAY} s are allowed: {what}", _REMEDY)
    if off > timedelta(seconds=LEEWAY / 2):
        return warning(_NAME, f"{found}, and {LEEWAY} s are allowed", _REMEDY)
    return ok(_NAME, f"within {LEEWAY // 2} s of that of {name}")
