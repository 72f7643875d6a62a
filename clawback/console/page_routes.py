"""What every page declares: who may see it, which rate limit counts it, whether it is audited."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from clawback.model.identity import Role

Handler = Callable[[Request], Awaitable[Response]]


class RateClass(StrEnum):
    """The limits that requests count against, each per person or address."""

    PAGE = "page"
    SEARCH = "search"
    DECISION = "decision"
    SIGN_IN = "sign_in"
    COSTLY = "costly"
    """Explain and backtest: one at a time."""
    PICTURE = "picture"
    """What is read from Cloudflare when somebody asks: screenshots, present verdicts."""
    STREAM = "stream"
    FREE = "free"
    """Static files and health."""


class ViewAudit(StrEnum):
    """Whether looking at a page is recorded."""

    NONE = "none"
    """It shows no content of mail, or what it changes is recorded anyway."""
    VIEWED = "viewed"
    """Who looked at which object is recorded, once in ten minutes."""


@dataclass(frozen=True)
class Page:
    """One route of the console.

    `role` is what somebody needs at least; None only for what signs people in and shows nothing. A
    route that changes something has POST alone.
    """

    path: str
    handler: Handler
    role: Role | None
    rate: RateClass = RateClass.PAGE
    audit: ViewAudit = ViewAudit.NONE
    methods: tuple[str, ...] = ("GET",)
