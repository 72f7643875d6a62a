"""Cloudflare: that it answers and knows the token, what is left of the rate limit, and that our clock is right."""

import asyncio
import time
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError

from clawback.cloudflare import RateLimitStatus
from clawback.doctor.check import Finding, ok, problem, told, warning
from clawback.local.account_check import AccountRefused, ask_account
from clawback.local.installation import Installation
from clawback.settings import Settings

_LITTLE = 0.1
_SKEWED, _FAR_OFF = timedelta(seconds=5), timedelta(minutes=5)
_PATIENCE = 8.0
_WHO_ELSE = "find who else uses this token or user, for all its requests are counted together, and give clawback one of its own"


async def check_cloudflare(settings: Settings, installation: Installation) -> Iterable[Finding]:
    """Search for one message as polling does, and say what the answer told of the rate limit."""
    if installation.simulator_port is not None:
        return [
            _half(settings)
            or ok(
                "cloudflare",
                "not asked: no CLOUDFLARE_API_TOKEN is set, so the simulator takes its place",
            )
        ]
    if settings.on_simulator and settings.cloudflare_api_token is None:
        return [
            ok(
                "cloudflare",
                f"not asked: {settings.api_url} is taken for a simulator, and no CLOUDFLARE_API_TOKEN is set",
            )
        ]
    try:
        asked = await ask_account(settings)
    except AccountRefused as error:
        return [told("cloudflare", str(error))]
    if asked.blocked_for is not None:
        return [blocked_finding(asked.blocked_for)]
    if asked.warning is not None or asked.budget is None:
        return [told("cloudflare", asked.warning or "no answer")]
    return [
        ok("cloudflare", f"{settings.api_url} answers, and knows the token"),
        budget_finding(asked.budget),
    ]


def _half(settings: Settings) -> Finding | None:
    if settings.cloudflare_account_id is None:
        return None
    return problem(
        "cloudflare",
        "CLOUDFLARE_ACCOUNT_ID is set without CLOUDFLARE_API_TOKEN",
        "set both, or neither to use the simulator",
    )


def budget_finding(budget: RateLimitStatus) -> Finding:
    """Judge what is left of the rate limit."""
    said = f"{budget.remaining:,} of {budget.quota:,} requests left, anew in {budget.resets_in.total_seconds():.0f} s"
    if budget.remaining < _LITTLE * budget.quota:
        return warning("rate limit", said, _WHO_ELSE)
    return ok("rate limit", said)


def blocked_finding(left: timedelta) -> Finding:
    """Say that the rate limit is exceeded, and for how long."""
    said = f"exceeded: Cloudflare blocks all requests of this token or user for {left.total_seconds():.0f} s"
    return problem("rate limit", said, f"wait, nothing is lost; {_WHO_ELSE}")


async def check_clock(settings: Settings, installation: Installation) -> Iterable[Finding]:
    """Compare our clock with the API's.

    Nothing is said where nobody is asked, or the API cannot be reached.
    """
    if installation.simulator_port is not None:
        return []
    ahead = await asyncio.to_thread(clock_ahead, settings.api_url)
    return [] if ahead is None else [clock_finding(ahead)]


def clock_ahead(url: str) -> timedelta | None:
    """Say how far our clock is ahead of a server's, to a second or so.

    None where it does not tell.
    """
    began, before = time.monotonic(), datetime.now(UTC)
    try:
        with urllib.request.urlopen(  # noqa: S310 - the setting names it
            urllib.request.Request(url, method="HEAD"),  # noqa: S310 - the setting names it
            timeout=_PATIENCE,
        ) as answer:
            date = answer.headers.get("Date")
    except HTTPError as error:
        with error:
            date = error.headers.get("Date")
    except OSError:
        return None
    if date is None:
        return None
    middle = before + timedelta(seconds=(time.monotonic() - began) / 2)
    return (
        middle - parsedate_to_datetime(date) - timedelta(seconds=0.5)
    )  # the header leaves out parts of a second


def clock_finding(ahead: timedelta) -> Finding:
    """Judge the difference of two clocks."""
    off, way = abs(ahead), "ahead of" if ahead > timedelta() else "behind"
    said = f"this machine's clock is {off.total_seconds():.0f} s {way} Cloudflare's"
    if off >= _FAR_OFF:
        return problem(
            "clock",
            said,
            "set the clock by NTP: windows of polls and the age of messages are wrong",
        )
    if off >= _SKEWED:
        return warning("clock", said, "set the clock by NTP")
    return ok("clock", "within a few seconds of Cloudflare's")
