"""The typed client of Cloudflare's Email Security API: one account, one rate limit, no retries.

Callers use `EmailSecurity`, its records and its errors. Touch this room when the API changes, or
when requests, rate limiting or recovery of lost responses must behave differently.
"""

from clawback.cloudflare.account_settings.allow_policies import AllowPolicy
from clawback.cloudflare.account_settings.block_senders import BlockedSender
from clawback.cloudflare.account_settings.content_policies import ContentPolicy
from clawback.cloudflare.account_settings.domains import Domain, Verification, account_domains
from clawback.cloudflare.account_settings.impersonation_registry import ProtectedName
from clawback.cloudflare.account_settings.policy_list import Batch, BatchResult
from clawback.cloudflare.account_settings.sending_domain_restrictions import SendingRestriction
from clawback.cloudflare.account_settings.trusted_domains import TrustedDomain
from clawback.cloudflare.account_settings.url_ignore_patterns import UrlIgnorePattern
from clawback.cloudflare.client import EmailSecurity
from clawback.cloudflare.errors import (
    ApiError,
    ClientError,
    ContainmentStopped,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UnknownOutcome,
    UnreadableResponse,
)
from clawback.cloudflare.operations.bulk_jobs import Job, JobMessage
from clawback.cloudflare.operations.feedback import Report, Resubmission, Submission
from clawback.cloudflare.operations.investigate import (
    ActionLogEntry,
    Message,
    MoveItem,
    ReleaseItem,
)
from clawback.cloudflare.operations.message_contents import Trace
from clawback.cloudflare.paging import Page, PagedBy, RejectedRecord, pages
from clawback.cloudflare.protocols import Clock, Observer, Permit
from clawback.cloudflare.rate_limiter import RateLimitStatus, Share
from clawback.cloudflare.steady_reads import read_steadily

__all__ = [
    "ActionLogEntry",
    "AllowPolicy",
    "ApiError",
    "Batch",
    "BatchResult",
    "BlockedSender",
    "ClientError",
    "Clock",
    "ContainmentStopped",
    "ContentPolicy",
    "Domain",
    "EmailSecurity",
    "InvalidRequest",
    "Job",
    "JobMessage",
    "Message",
    "MoveItem",
    "NotFound",
    "Observer",
    "Page",
    "PagedBy",
    "PermissionDenied",
    "Permit",
    "ProtectedName",
    "RateLimitStatus",
    "RateLimited",
    "RejectedRecord",
    "ReleaseItem",
    "Report",
    "Resubmission",
    "SendingRestriction",
    "Share",
    "Submission",
    "Trace",
    "TrustedDomain",
    "Unauthenticated",
    "Unavailable",
    "UnknownOutcome",
    "UnreadableResponse",
    "UrlIgnorePattern",
    "Verification",
    "account_domains",
    "pages",
    "read_steadily",
]
