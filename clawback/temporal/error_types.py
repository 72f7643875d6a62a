"""How errors cross Temporal: a fixed type each, and a delay where there is one.

    ErrorType               raised for                          who continues
    ├─ rate_limited         429, or our own rate limiter        the engine, after the delay
    ├─ stopped              the kill switch                     the workflow, once it is off
    ├─ not_permitted        what the rule rests on has changed  the case: it is held, or ends
    ├─ unavailable          certainly not executed              the engine, backing off
    ├─ unknown_outcome      an unsafe POST without a response   the workflow, after verifying
    ├─ unauthenticated      the token                           the workflow, slowly; a person
    ├─ permission_denied    its permissions                     the workflow, slowly; a person
    ├─ not_found            this request                        nobody: it is the outcome
    ├─ invalid_request      this request                        nobody: it is the outcome
    ├─ unreadable_response  a response that cannot be read      the engine, slowly
    ├─ audit_unavailable    the audit cannot be written         the engine, until it can
    ├─ nothing_new          a quiet source                      the engine, with the next poll
    └─ payload_refused      a payload that is not ours          nobody: whatever sent it is refused

Never compare messages.
"""

from enum import StrEnum


class ErrorType(StrEnum):
    """The `type` of every `ApplicationError` that an activity raises."""

    RATE_LIMITED = "rate_limited"
    STOPPED = "stopped"
    NOT_PERMITTED = "not_permitted"
    UNAVAILABLE = "unavailable"
    UNKNOWN_OUTCOME = "unknown_outcome"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION_DENIED = "permission_denied"
    NOT_FOUND = "not_found"
    INVALID_REQUEST = "invalid_request"
    UNREADABLE_RESPONSE = "unreadable_response"
    AUDIT_UNAVAILABLE = "audit_unavailable"
    NOTHING_NEW = "nothing_new"
    PAYLOAD_REFUSED = "payload_refused"


PERMANENT: frozenset[ErrorType] = frozenset({ErrorType.INVALID_REQUEST, ErrorType.NOT_FOUND})
"""Errors that no retry can change."""
ACCESS: frozenset[ErrorType] = frozenset({ErrorType.UNAUTHENTICATED, ErrorType.PERMISSION_DENIED})
"""Errors that a person must fix first."""
EXPECTED: frozenset[ErrorType] = frozenset({ErrorType.NOTHING_NEW})
"""Errors of ordinary operation: neither logged nor counted as retries."""
NOT_EXECUTED: frozenset[ErrorType] = (
    PERMANENT
    | ACCESS
    | {
        ErrorType.STOPPED,
        ErrorType.NOT_PERMITTED,
        ErrorType.RATE_LIMITED,
        ErrorType.UNAVAILABLE,
    }
)
"""Errors of requests that certainly changed nothing."""
