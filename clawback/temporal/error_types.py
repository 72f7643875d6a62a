"""How errors cross Temporal: a fixed word each, and a delay where there is one.

    ErrorType                      raised for                       who goes on
    ├─ rate_limited                429, or our own pace             the engine, after `next_retry_delay`
    ├─ stopped                      the kill switch                  the workflow, when it is off
    ├─ unavailable                  certainly not executed           the engine, backing off
    ├─ unknown_outcome              an unsafe POST without an answer  the workflow, after verifying
    ├─ unauthenticated, not_permitted  the token                     the workflow, slowly, and a person
    ├─ not_found, rejected          this request                     nobody: it is the outcome
    ├─ not_understood               an answer that cannot be read    the engine, slowly
    └─ audit_unavailable            the audit cannot be written      the engine, until it can

The words are in histories, so the list only ever grows. Never compare messages.
"""

from enum import StrEnum


class ErrorType(StrEnum):
    """The `type` of every `ApplicationError` that an activity raises."""

    RATE_LIMITED = "rate_limited"
    STOPPED = "stopped"
    UNAVAILABLE = "unavailable"
    UNKNOWN_OUTCOME = "unknown_outcome"
    UNAUTHENTICATED = "unauthenticated"
    NOT_PERMITTED = "not_permitted"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    NOT_UNDERSTOOD = "not_understood"
    AUDIT_UNAVAILABLE = "audit_unavailable"


PERMANENT: frozenset[ErrorType] = frozenset({ErrorType.REJECTED, ErrorType.NOT_FOUND})
"""What no repeat can change."""
ACCESS: frozenset[ErrorType] = frozenset({ErrorType.UNAUTHENTICATED, ErrorType.NOT_PERMITTED})
"""What a person must put right first."""
