"""Attempts at a request that is not safe to repeat, and how each one ended."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TimedOut

with workflow.unsafe.imports_passed_through():
    from clawback.actions.outcomes import UNKNOWN, failed
    from clawback.cases.authority import Objection
    from clawback.temporal.error_types import ACCESS, PERMANENT, ErrorType
    from workflows.options import (
        ACCESS_PAUSE,
        CONTAIN,
        CONTAINMENT_PATIENCE,
        FIRST_PAUSE,
        LONGEST_PAUSE,
        STOPPED_PAUSE,
        VERIFY,
        approved_options,
    )

R = TypeVar("R")
is_approved: ContextVar[bool] = ContextVar("is_approved", default=False)
"""Whether people have approved what is being attempted: its requests go ahead of routine work."""

_LEAST_PAUSE = timedelta(seconds=1)
_PAUSES: Mapping[str, timedelta] = {
    ErrorType.STOPPED: STOPPED_PAUSE,
    **dict.fromkeys(ACCESS, ACCESS_PAUSE),
}
"""Before another attempt at what a person must allow first."""


@dataclass(frozen=True)
class Answered(Generic[R]):
    """The request succeeded, with this response."""

    value: R


@dataclass(frozen=True)
class NotExecuted:
    """The request certainly had no effect; repeat it after the delay."""

    delay: timedelta
    why: ErrorType


@dataclass(frozen=True)
class Cancelled(NotExecuted):
    """The attempt was cancelled before a worker took it: nothing was sent, and nothing will be."""

    delay: timedelta = timedelta()
    why: ErrorType = ErrorType.UNAVAILABLE


@dataclass(frozen=True)
class Lost:
    """The response was lost; after the delay, check the API before repeating the request."""

    delay: timedelta
    why: ErrorType = ErrorType.UNKNOWN_OUTCOME


@dataclass(frozen=True)
class Impossible:
    """The request was refused, and repeating it cannot help."""

    why: ErrorType


@dataclass(frozen=True)
class Withheld:
    """The request did not leave: what it rests on has changed."""

    objection: Objection


Attempt = Answered[R] | NotExecuted | Lost | Impossible | Withheld


class Attempts:
    """All attempts at one thing.

    The caller checks the API after every lost response, before it calls `make` again. Patience is
    measured by the time spent waiting between attempts; waiting for the kill switch does not count.
    `is_wanted` says whether the work still is; an objection is noted in `objections`. `first` is an
    attempt that has been made already: `make` gives it before any other.
    """

    def __init__(
        self,
        is_wanted: Callable[[], bool] = lambda: True,
        options: Mapping[str, Any] = CONTAIN,
        objections: list[Objection] | None = None,
        first: Attempt[Any] | None = None,
    ) -> None:
        self._patience = CONTAINMENT_PATIENCE
        self._is_wanted = is_wanted
        self._objections = [] if objections is None else objections
        self._options = options
        self._first = first
        self._count = 0
        self._last_error: ErrorType = ErrorType.UNAVAILABLE
        self._is_cancelled = False

    @property
    def may_continue(self) -> bool:
        """Whether another attempt may be made, or one that was made has to be looked at."""
        is_over = self._is_cancelled or self._patience <= timedelta()
        may_repeat = not is_over and not self._objections and self._is_wanted()
        return self._first is not None or may_repeat

    @property
    def outcome_of_giving_up(self) -> str | None:
        """The outcome of what is still open when no further attempt may be made.

        None if people may still approve it.
        """
        if self._objections:
            return self._objections[0].outcome
        if self._last_error is ErrorType.UNKNOWN_OUTCOME:
            return UNKNOWN
        return failed("cancelled" if self._is_cancelled else self._last_error)

    async def make(self, activity: Callable[..., Any], request: object) -> Attempt[Any]:
        """Make one attempt; unless it succeeded, wait until a repeat or a check makes sense."""
        attempt, self._first = self._first, None
        if attempt is None:
            attempt = await _attempt(activity, request, self._options, self._count)
        self._count += 1
        if isinstance(attempt, Withheld):
            self._objections.append(attempt.objection)
        if isinstance(attempt, Cancelled):
            self._is_cancelled = True
        elif isinstance(attempt, Lost | NotExecuted):
            if attempt.why is not ErrorType.STOPPED:
                self._last_error = attempt.why
                # At least a second, so that very short delays use up the patience too.
                self._patience -= max(attempt.delay, _LEAST_PAUSE)
            await workflow.sleep(attempt.delay, summary=f"after an attempt: {attempt.why}")

        return attempt


async def verify(
    activity: Callable[..., Any], request: object, options: Mapping[str, Any] = VERIFY
) -> Any:
    """Check the API for what became of a request; None if even that fails."""
    try:
        return await workflow.execute_activity_method(activity, request, **_prioritised(options))
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.warning(
            "containment.verification_failed", extra={"why": str(error.cause)[:200]}
        )
        return None


async def _attempt(
    activity: Callable[..., Any], request: object, options: Mapping[str, Any], count: int
) -> Attempt[Any]:
    try:
        return Answered(
            await workflow.execute_activity_method(activity, request, **_prioritised(options))
        )
    except ActivityError as error:
        if not is_cancelled_exception(error):
            return _classify(error.cause, count)
        if error.started_event_id:
            raise
        return Cancelled()


def _prioritised(options: Mapping[str, Any]) -> Mapping[str, Any]:
    return approved_options(options) if is_approved.get() else options


def _classify(
    cause: BaseException | None, count: int
) -> NotExecuted | Lost | Impossible | Withheld:
    # A bounded exponent: a day of attempts would overflow a timedelta.
    backoff = min(FIRST_PAUSE * 2 ** min(count, 10), LONGEST_PAUSE)
    # A timeout or a crash says nothing about the request: it may have been sent before.
    if isinstance(cause, TimedOut) or not isinstance(cause, ApplicationError):
        return Lost(backoff)
    if cause.type == ErrorType.NOT_PERMITTED:
        return Withheld(Objection.model_validate(cause.details[0]))
    if cause.type in PERMANENT:
        return Impossible(ErrorType(cause.type))
    if cause.type is not None and cause.type in _PAUSES:
        return NotExecuted(_PAUSES[cause.type], ErrorType(cause.type))
    if cause.type in {ErrorType.RATE_LIMITED, ErrorType.UNAVAILABLE}:
        return NotExecuted(cause.next_retry_delay or backoff, ErrorType(cause.type))

    # Unknown outcome, unreadable response, or a defect of ours: each may have had an effect.
    return Lost(backoff)
