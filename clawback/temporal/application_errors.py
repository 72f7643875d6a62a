"""Translates errors into `ApplicationError`s: the only module that knows both trees."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.actions import ContainmentAction
from clawback.audit import AuditUnavailable
from clawback.batching import NotSent
from clawback.cases.authority import Authority
from clawback.cloudflare import errors
from clawback.model.texts import bounded
from clawback.rules.act_check import ActCheck
from clawback.temporal.error_types import ErrorType

_TYPES: tuple[tuple[type[errors.ApiError], ErrorType], ...] = (
    (errors.ContainmentStopped, ErrorType.STOPPED),
    (errors.RateLimited, ErrorType.RATE_LIMITED),
    (errors.Unauthenticated, ErrorType.UNAUTHENTICATED),
    (errors.PermissionDenied, ErrorType.PERMISSION_DENIED),
    (errors.NotFound, ErrorType.NOT_FOUND),
    (errors.InvalidRequest, ErrorType.INVALID_REQUEST),
    (errors.Unavailable, ErrorType.UNAVAILABLE),
    (errors.UnknownOutcome, ErrorType.UNKNOWN_OUTCOME),
    (errors.UnreadableResponse, ErrorType.UNREADABLE_RESPONSE),
)


@contextmanager
def as_application_error() -> Iterator[None]:
    """Raise errors of the API client as `ApplicationError`s, with their delay as data."""
    try:
        yield
    except NotSent as error:
        raise ApplicationError(
            str(error), type=ErrorType.UNAVAILABLE, category=ApplicationErrorCategory.BENIGN
        ) from error
    except errors.ApiError as error:
        delay = (
            error.retry_after
            if isinstance(error, errors.RateLimited | errors.Unavailable)
            else None
        )
        raise ApplicationError(
            bounded(str(error)),
            type=_type_of(error),
            next_retry_delay=_at_least_some(delay),
            # Expected: logged in one line and counted by status, not as a defect.
            category=ApplicationErrorCategory.BENIGN,
        ) from error


def require_permission(check: ActCheck, authority: Authority, action: ContainmentAction) -> None:
    """Check once more what a request rests on: this is the last moment before it leaves.

    Raises:
        ApplicationError: it must not leave; the objection is the detail.

    """
    objection = check.find_objection(authority, action)
    if objection is not None:
        raise ApplicationError(
            objection.reason,
            objection,
            type=ErrorType.NOT_PERMITTED,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        )


def audit_unavailable(error: AuditUnavailable) -> ApplicationError:
    """Translate an audit that cannot be written."""
    return ApplicationError(bounded(str(error)), type=ErrorType.AUDIT_UNAVAILABLE)


def _type_of(error: errors.ApiError) -> ErrorType:
    return next(error_type for kind, error_type in _TYPES if isinstance(error, kind))


def _at_least_some(delay: timedelta | None) -> timedelta | None:
    return None if delay is None else max(delay, timedelta(milliseconds=100))
