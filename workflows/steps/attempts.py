"""Attempts at a request that is not safe to repeat, and how each ended.

In one of four ways that a sequence can go on from.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TimedOut

with workflow.unsafe.imports_passed_through():
    from clawback.cases import UNKNOWN, failed
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
approved: ContextVar[bool] = ContextVar("approved", default=False)
"""Whether people have agreed to what is being attempted.

All of it then goes ahead of what rules do alone.
"""

_LEAST = timedelta(seconds=1)


@dataclass(frozen=True)
class Answered(Generic[R]):
    """It was done, and this is the answer."""

    value: R


@dataclass(frozen=True)
class NotExecuted:
    """It was certainly not done; try again after the delay."""

    delay: timedelta
    why: ErrorType


@dataclass(frozen=True)
class Lost:
    """Nobody knows whether it was done: after the delay, find out before anything else."""

    delay: timedelta
    why: ErrorType = ErrorType.UNKNOWN_OUTCOME


@dataclass(frozen=True)
class Impossible:
    """It was refused, and no repeat can change that."""

    why: ErrorType


Attempt = Answered[R] | NotExecuted | Lost | Impossible


class Effort:
    """All attempts at one thing.

    Every lost answer must be followed by finding out, before `make` is called again.

    Bounded by the time spent waiting between attempts: while the kill switch is on, nobody's
    patience runs out. `is_off` says that the work is no longer wanted.
    """

    def __init__(
        self, is_off: Callable[[], bool] = lambda: False, options: Mapping[str, Any] = CONTAIN
    ) -> None:
        self._left = CONTAINMENT_PATIENCE
        self._is_off = is_off
        self._options = options
        self._tries = 0
        self._why: ErrorType = ErrorType.UNAVAILABLE

    @property
    def goes_on(self) -> bool:
        """Whether another attempt may be made."""
        return self._left > timedelta() and not self._is_off()

    def given_up(self) -> str:
        """The outcome of what is still open when no further attempt may be made."""
        return UNKNOWN if self._why is ErrorType.UNKNOWN_OUTCOME else failed(self._why)

    async def make(self, activity: Callable[..., Any], request: object) -> Attempt[Any]:
        """Make one attempt, and wait as long as must be waited before the next, or before what was done can be seen."""
        made = await _attempt(activity, request, self._options, self._tries)
        self._tries += 1
        if isinstance(made, Lost | NotExecuted):
            if made.why is not ErrorType.STOPPED:
                self._why = made.why
                self._left -= max(made.delay, _LEAST)
            await workflow.sleep(made.delay, summary=f"after an attempt: {made.why}")
        return made


async def verify(
    activity: Callable[..., Any], request: object, options: Mapping[str, Any] = VERIFY
) -> Any:
    """Find out what became of something; None where even that cannot be found out."""
    try:
        return await workflow.execute_activity_method(activity, request, **_hurried(options))
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.warning("containment.not_verified", extra={"why": str(error.cause)[:200]})
        return None


async def _attempt(
    activity: Callable[..., Any], request: object, options: Mapping[str, Any], tries: int
) -> Attempt[Any]:
    try:
        return Answered(
            await workflow.execute_activity_method(activity, request, **_hurried(options))
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return _understood(error.cause, tries)


def _hurried(options: Mapping[str, Any]) -> Mapping[str, Any]:
    return approved_options(options) if approved.get() else options


def _understood(cause: BaseException | None, tries: int) -> NotExecuted | Lost | Impossible:
    backoff = min(FIRST_PAUSE * 2 ** min(tries, 10), LONGEST_PAUSE)
    if isinstance(cause, TimedOut) or not isinstance(cause, ApplicationError):
        return Lost(backoff)
    if cause.type in PERMANENT:
        return Impossible(ErrorType(cause.type))
    if cause.type == ErrorType.STOPPED:
        return NotExecuted(STOPPED_PAUSE, ErrorType.STOPPED)
    if cause.type in ACCESS:
        return NotExecuted(ACCESS_PAUSE, ErrorType(cause.type))
    if cause.type in {ErrorType.RATE_LIMITED, ErrorType.UNAVAILABLE}:
        return NotExecuted(cause.next_retry_delay or backoff, ErrorType(cause.type))
    return Lost(backoff)
