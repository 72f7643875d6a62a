"""Cloudflare: it responds, it accepts the token, the rate limit is not exhausted, clocks agree."""

import asyncio
import os
import time
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError
from urllib.parse import urlsplit

from clawback.cloudflare import RateLimitStatus
from clawback.doctor.check import Finding, from_sentence, ok, problem, warning
from clawback.local.account_check import AccountRefused, check_account
from clawback.local.installation import Installation
from clawback.outbound_http import NetworkSettingsError, Proxies
from clawback.settings import Settings

_LOW = 0.1
_SKEWED, _FAR_OFF = timedelta(seconds=5), timedelta(minutes=5)
_TIMEOUT = 8.0
_OTHER_USERS = (
    "find what else uses this token or user, because all its requests count together, "
    "and give clawback a token of its own"
)


async def check_cloudflare(settings: Settings, installation: Installation) -> Iterable[Finding]:
    """Search for one message, as polling does, and report the rate limit."""
    if skipped := _why_skipped(settings, installation):
        return [skipped]

    try:
        account = await check_account(settings)
    except AccountRefused as error:
        return [from_sentence("cloudflare", str(error))]

    if account.blocked_for is not None:
        return [blocked_finding(account.blocked_for)]
    if account.warning is not None or account.rate_limit is None:
        return [from_sentence("cloudflare", account.warning or "no response")]

    return [
        ok("cloudflare", f"{settings.api_url} responds and accepts the token"),
        rate_limit_finding(account.rate_limit),
    ]


def _why_skipped(settings: Settings, installation: Installation) -> Finding | None:
    if installation.simulator_port is not None:
        if settings.cloudflare_account_id is not None:
            return problem(
                "cloudflare",
                "CLOUDFLARE_ACCOUNT_ID is set without CLOUDFLARE_API_TOKEN",
                "set both, or neither to use the simulator",
            )

        return ok("cloudflare", "skipped: no CLOUDFLARE_API_TOKEN is set, the simulator is used")

    if settings.on_simulator and settings.cloudflare_api_token is None:
        reason = f"{settings.api_url} is a simulator, and no CLOUDFLARE_API_TOKEN is set"
        return ok("cloudflare", f"skipped: {reason}")

    return None


def rate_limit_finding(status: RateLimitStatus) -> Finding:
    """Judge what is left of the rate limit."""
    resets_in = f"{status.resets_in.total_seconds():.0f} s"
    found = f"{status.remaining:,} of {status.quota:,} requests left, resets in {resets_in}"
    if status.remaining < _LOW * status.quota:
        return warning("rate limit", found, _OTHER_USERS)
    return ok("rate limit", found)


def blocked_finding(left: timedelta) -> Finding:
    """Report that the rate limit is exceeded, and for how long."""
    seconds = f"{left.total_seconds():.0f} s"
    found = f"exceeded: Cloudflare blocks all requests of this token or user for {seconds}"
    return problem("rate limit", found, f"wait, nothing is lost; {_OTHER_USERS}")


async def check_clock(settings: Settings, installation: Installation) -> Iterable[Finding]:
    """Compare our clock with the API's; no finding if the API is not used or not reachable."""
    if installation.simulator_port is not None:
        return []
    ahead = await asyncio.to_thread(clock_ahead, settings.api_url)
    return [] if ahead is None else [clock_finding(ahead)]


def clock_ahead(url: str) -> timedelta | None:
    """Measure how far our clock is ahead of a server's, to about a second; None if unknown."""
    started, before = time.monotonic(), datetime.now(UTC)
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - from the settings
    try:
        with _open(url).open(request, timeout=_TIMEOUT) as response:
            date = response.headers.get("Date")
    except HTTPError as error:
        with error:
            date = error.headers.get("Date")
    except (OSError, NetworkSettingsError):
        return None

    if date is None:
        return None

    middle = before + timedelta(seconds=(time.monotonic() - started) / 2)
    # The header has whole seconds, so the server's time is half a second later on average.
    return middle - parsedate_to_datetime(date) - timedelta(seconds=0.5)


def _open(url: str) -> urllib.request.OpenerDirector:
    """Open URLs as the worker does: through the proxy of the environment, or directly."""
    proxy = Proxies(os.environ).find(url)
    proxies = {} if proxy is None else {urlsplit(url).scheme: proxy}
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies))


def clock_finding(ahead: timedelta) -> Finding:
    """Judge the difference of two clocks."""
    off, direction = abs(ahead), "ahead of" if ahead > timedelta() else "behind"
    found = f"this machine's clock is {off.total_seconds():.0f} s {direction} Cloudflare's"
    if off >= _FAR_OFF:
        remedy = "set the clock by NTP: poll windows and message ages are wrong"
        return problem("clock", found, remedy)
    if off >= _SKEWED:
        return warning("clock", found, "set the clock by NTP")

    return ok("clock", "within a few seconds of Cloudflare's")
