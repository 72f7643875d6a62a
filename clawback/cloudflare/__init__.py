"""The typed client of Cloudflare's Email Security API.

One account, one budget, no retries of its own. httpx is imported here alone.

Callers see `EmailSecurity`, its records and its errors; what the wire looks like stays inside.
"""

from clawback.cloudflare.account_policies import (
    Domain,
    ProtectedName,
    SendingRestriction,
    Verification,
)
from clawback.cloudflare.client import EmailSecurity
from clawback.cloudflare.content_policies import ContentPolicy, UrlIgnorePattern
from clawback.cloudflare.errors import (
    ApiError,
    NotFound,
    NotPermitted,
    NotUnderstood,
    RateLimited,
    Refused,
    Rejected,
    Stopped,
    Unauthenticated,
    Unavailable,
    UnknownOutcome,
)
from clawback.cloudflare.feedback import Resubmission
from clawback.cloudflare.jobs import Job, JobMessage
from clawback.cloudflare.message_contents import Trace
from clawback.cloudflare.paging import Page, PagedBy, RejectedRecord, pages
from clawback.cloudflare.policies import Batch, BatchResult
from clawback.cloudflare.protocols import Clock, Observer, Permit
from clawback.cloudflare.rate_limiter import Budget, Share
from clawback.cloudflare.records import (
    ActionLogEntry,
    BlockedSender,
    Message,
    MoveItem,
    Report,
    Submission,
)
from clawback.cloudflare.release import ReleaseItem
from clawback.cloudflare.sender_policies import AllowPolicy, TrustedDomain

__all__ = [
    "ActionLogEntry",
    "AllowPolicy",
    "ApiError",
    "Batch",
    "BatchResult",
    "BlockedSender",
    "Budget",
    "Clock",
    "ContentPolicy",
    "Domain",
    "EmailSecurity",
    "Job",
    "JobMessage",
    "Message",
    "MoveItem",
    "NotFound",
    "NotPermitted",
    "NotUnderstood",
    "Observer",
    "Page",
    "PagedBy",
    "Permit",
    "ProtectedName",
    "RateLimited",
    "Refused",
    "Rejected",
    "RejectedRecord",
    "ReleaseItem",
    "Report",
    "Resubmission",
    "SendingRestriction",
    "Share",
    "Stopped",
    "Submission",
    "Trace",
    "TrustedDomain",
    "Unauthenticated",
    "Unavailable",
    "UnknownOutcome",
    "UrlIgnorePattern",
    "Verification",
    "pages",
]
