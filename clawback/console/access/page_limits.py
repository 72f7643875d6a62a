"""Which limit each rate class of a page has. Each replica counts by itself."""

import time
from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from clawback.console.access.request_guard import hold
from clawback.console.access.request_limits import ConcurrencyLimiter, RateLimiter
from clawback.console.access.site import Site
from clawback.console.access.who import Visitor
from clawback.console.page_routes import RateClass

PER_MINUTE: Final = {
    RateClass.PAGE: 600,
    RateClass.SEARCH: 60,
    RateClass.DECISION: 60,
    RateClass.SIGN_IN: 10,
    RateClass.PICTURE: 10,
}
AT_ONCE: Final = {RateClass.COSTLY: 1, RateClass.STREAM: 2}
"""Explain and backtest for each person, event streams for each session."""
_NAMES: Final = {
    RateClass.PAGE: "pages",
    RateClass.SEARCH: "searches",
    RateClass.DECISION: "decisions",
    RateClass.SIGN_IN: "sign-ins",
    RateClass.PICTURE: "readings from Cloudflare",
    RateClass.COSTLY: "explanations or backtests",
    RateClass.STREAM: "event streams of one session",
}


class PageLimits:
    """Counts requests by rate class: of people by who they are, of others by address."""

    def __init__(self, site: Site, seconds: Callable[[], float] = time.monotonic) -> None:
        self._site = site
        self._rates = {
            one: RateLimiter(_NAMES[one], limit, clock=seconds) for one, limit in PER_MINUTE.items()
        }
        self._places = {
            one: ConcurrencyLimiter(_NAMES[one], limit) for one, limit in AT_ONCE.items()
        }

    def count(
        self, request: Request, rate: RateClass, visitor: Visitor | None, step: str = ""
    ) -> None:
        """Count a request; of what may run only so often at once, hold a place until it ends.

        Each `step` of a sign-in counts by itself.

        Raises:
            TooManyRequests: it is one too many.

        """
        if (limiter := self._rates.get(rate)) is not None:
            person = visitor.identity.person if visitor else client_address(request, self._site)
            limiter.count((step, person))
        if (places := self._places.get(rate)) is not None and visitor is not None:
            is_stream = rate is RateClass.STREAM
            hold(request, places.hold(visitor.session if is_stream else visitor.identity.person))


def client_address(request: Request, site: Site) -> str:
    """Return the address of whoever sends a request.

    A reverse proxy appends the address that it saw to `X-Forwarded-For`; what stands before is what
    the client says of itself.
    """
    if site.is_proxied:
        forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        if forwarded:
            return forwarded[:64]
    return request.client.host if request.client else ""
