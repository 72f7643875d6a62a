"""The errors of the API client, divided by what the caller should do next.

    ApiError
    ├── RateLimited          not executed; retry after `retry_after`
    ├── ContainmentStopped   not executed; the kill switch is on, retry later
    ├── Unavailable          not executed, or safe to repeat (GET, PUT, PATCH, DELETE); retry later
    ├── UnknownOutcome       a POST that may have been executed; find out before you repeat it
    ├── UnreadableResponse   a read succeeded, but its response cannot be parsed
    └── ClientError          the API says no: not executed, a retry would fail in the same way
        ├── Unauthenticated     the token is wrong or expired
        ├── PermissionDenied    the token lacks a permission, or the account lacks the product
        ├── NotFound            no such id, or no longer; a DELETE may treat it as success
        └── InvalidRequest      anything else that is wrong with the request itself

`Unavailable` and `UnknownOutcome` name the intermediary if one answered instead of the API, as a
proxy does with a page of its own: see `intermediaries`.

Texts from outside are bounded and free of control characters. No error carries an id, a mailbox
address or the token, except where the API's own explanation quotes one: log `ApiError.log_text`,
not its text. Source: reference §3.2 and §3.3.
"""

from datetime import timedelta
from http import HTTPStatus

from clawback.model.intermediary import Intermediary
from clawback.model.loggable import LoggableError


class ApiError(LoggableError):
    """The base of all errors; `endpoint` is a fixed template such as `investigate/move`."""

    def __init__(self, endpoint: str, text: str) -> None:
        super().__init__(f"{endpoint}: {text}")
        self.endpoint = endpoint
        self.text = text

    @property
    def log_text(self) -> str:
        """The error without any text from outside: safe for logs, metrics and Temporal."""
        return f"{self.endpoint}: {type(self).__name__}"


class RateLimited(ApiError):
    """The rate limit is reached; retry after `retry_after`.

    `is_local` says that clawback held the request back, so it did not count.
    """

    def __init__(self, endpoint: str, retry_after: timedelta, *, is_local: bool = False) -> None:
        reason = "held back" if is_local else "refused"
        seconds = retry_after.total_seconds()
        super().__init__(endpoint, f"{reason} by the rate limit for {seconds:.1f} s")
        self.retry_after = retry_after
        self.is_local = is_local

    @property
    def log_text(self) -> str:
        """The whole text, which holds nothing from outside."""
        return str(self)


class ContainmentStopped(ApiError):
    """The call was for containment, and containment was stopped right before it was sent."""


class Unavailable(ApiError):
    """No response, or a server error, to a call that is safe to repeat.

    `status` is None without a response.
    """

    def __init__(
        self,
        endpoint: str,
        text: str,
        status: int | None = None,
        retry_after: timedelta | None = None,
        *,
        intermediary: Intermediary | None = None,
    ) -> None:
        super().__init__(endpoint, text)
        self.status = status
        self.retry_after = retry_after
        self.intermediary = intermediary

    @property
    def log_text(self) -> str:
        """The kind of error, the HTTP status and the kind of intermediary."""
        return f"{super().log_text} ({_origin(self.status, self.intermediary)})"


class UnknownOutcome(ApiError):
    """A POST was sent, and it is not known whether it was executed.

    `status` is None without a response.
    """

    def __init__(
        self,
        endpoint: str,
        text: str,
        status: int | None = None,
        *,
        intermediary: Intermediary | None = None,
    ) -> None:
        super().__init__(endpoint, text)
        self.status = status
        self.intermediary = intermediary

    @property
    def log_text(self) -> str:
        """The kind of error, the HTTP status and the kind of intermediary."""
        return f"{super().log_text} ({_origin(self.status, self.intermediary)})"


class UnreadableResponse(ApiError):
    """A read succeeded, but its response is not JSON or not of the documented shape."""


class ClientError(ApiError):
    """The API rejected the request with a 3xx or 4xx status.

    `codes` are Cloudflare's error codes, `text` is its explanation, bounded.
    """

    def __init__(
        self, endpoint: str, status: int, codes: tuple[int, ...] = (), text: str = ""
    ) -> None:
        numbers = f" {codes}" if codes else ""
        super().__init__(endpoint, f"{status}{numbers} {text}".rstrip())
        self.status = status
        self.codes = codes
        self.text = text

    @property
    def log_text(self) -> str:
        """The kind of error, the HTTP status and Cloudflare's codes."""
        codes = f", codes {', '.join(map(str, self.codes))}" if self.codes else ""
        return f"{super().log_text} ({self.status}{codes})"


class Unauthenticated(ClientError):
    """The token is not valid."""


class PermissionDenied(ClientError):
    """The token is valid, but not allowed to do this.

    It lacks *Cloud Email Security: Read* or *Write*, or the account lacks the product.
    """


class NotFound(ClientError):
    """No such id, or no such path (code 7003). Old messages expire."""


class InvalidRequest(ClientError):
    """The request itself is wrong: a bad value, a conflict, a redirect."""


def _origin(status: int | None, intermediary: Intermediary | None) -> str:
    by = f", intermediary: {intermediary}" if intermediary else ""
    return f"{status or 'no response'}{by}"


_BY_STATUS: dict[int, type[ClientError]] = {
    HTTPStatus.UNAUTHORIZED: Unauthenticated,
    HTTPStatus.FORBIDDEN: PermissionDenied,
    HTTPStatus.NOT_FOUND: NotFound,
}

# "Invalid request headers": the answer to a malformed token, with status 400.
_BAD_TOKEN_CODES = frozenset({6003, 6111})


def client_error(endpoint: str, status: int, codes: tuple[int, ...], text: str) -> ClientError:
    """Build the error for a 3xx or 4xx response, which says that nothing was executed."""
    error_type = _BY_STATUS.get(status, InvalidRequest)
    if status == HTTPStatus.BAD_REQUEST and _BAD_TOKEN_CODES.intersection(codes):
        error_type = Unauthenticated
    return error_type(endpoint, status, codes, text)
