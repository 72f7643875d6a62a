"""The typed client of Cloudflare's Email Security API: one account, one budget, no retries of its own. httpx is imported here alone.

Callers see `EmailSecurity`, its records and its errors; what the wire looks like stays inside.
"""

from clawback.cloudflare.client import EmailSecurity
from clawback.cloudflare.errors import (
    ApiError,
    NotFound,
    NotPermitted,
    NotUnderstood,
    RateLimited,
    Refused,
    Rejected,
    Unauthenticated,
    Unavailable,
    UnknownOutcome,
)
from clawback.cloudflare.pace import Budget, Share
from clawback.cloudflare.paging import Page, PagedBy, RejectedRecord, pages
from clawback.cloudflare.records import ActionLogEntry, BlockedSender, Message, MoveItem, Report, Submission
from clawback.cloudflare.surroundings import Clock, Observer

__all__ = [
    "ActionLogEntry",
    "ApiError",
    "BlockedSender",
    "Budget",
    "Clock",
    "EmailSecurity",
    "Message",
    "MoveItem",
    "NotFound",
    "NotPermitted",
    "NotUnderstood",
    "Observer",
    "Page",
    "PagedBy",
    "RateLimited",
    "Refused",
    "Rejected",
    "RejectedRecord",
    "Report",
    "Share",
    "Submission",
    "Unauthenticated",
    "Unavailable",
    "UnknownOutcome",
    "pages",
]
