"""What a page can answer instead of itself.

ConsoleError
├─ BadRequest   a parameter or a field has a wrong value; the text names it and the remedy
├─ NoSuchObject there is no such thing, or this person may not know of it
├─ Conflict     what somebody decided about has changed, or is decided
├─ Unavailable  Temporal or Cloudflare does not answer; what still works is said
└─ Refusal      the request is not acceptable, or not from this person: see `refusals`
"""

from collections.abc import Mapping
from http import HTTPStatus

from clawback.model.loggable import LoggableError


class ConsoleError(LoggableError, RuntimeError):
    """A request cannot be answered; the text says why, in one sentence."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = {}

    @property
    def title(self) -> str:
        """What the status means; a heading."""
        return self.status.phrase


class BadRequest(ConsoleError):
    """A parameter or a field has a wrong value."""

    status = HTTPStatus.BAD_REQUEST
    title = "This request cannot be understood"


class NoSuchObject(ConsoleError):
    """There is no such thing, or this person may not know of it."""

    status = HTTPStatus.NOT_FOUND
    title = "Not found"


class Conflict(ConsoleError):
    """What somebody decided about has changed since, or is decided."""

    status = HTTPStatus.CONFLICT
    title = "This has changed since it was shown"


class Unavailable(ConsoleError):
    """Temporal or Cloudflare does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Not available at the moment"
