"""What can go wrong with the API, told apart by what the caller should do next.

This module raises nothing and retries nothing.

    ApiError
    ├── RateLimited       not executed; come back after `retry_after`
    ├── Stopped           not executed: nothing may be changed at the moment; come back later
    ├── Unavailable       not executed, or a call that may be repeated as it is (GET, PUT, PATCH, DELETE); come back later
    ├── UnknownOutcome    an unsafe POST that may have been executed: find out before repeating it
    ├── NotUnderstood     a read was answered with success, but with nothing that can be read
    └── Refused           not executed, and repeating it would be refused again
        ├── Unauthenticated   the token is wrong or expired
        ├── NotPermitted      the token lacks a permission, or the account the product
        ├── NotFound          no such id (any more); for a DELETE the caller may count it as done
        └── Rejected          anything else about the request itself

Every text taken from outside is bounded and without control characters; no error carries an id, an
address of a mailbox or the token. Source: reference §3.2 and §3.3.
"""

from datetime import timedelta
from http import HTTPStatus


class ApiError(Exception):
    """Anything that went wrong; `endpoint` is a fixed template such as `investigate/move`."""

    def __init__(self, endpoint: str, text: str) -> None:
        super().__init__(f"{endpoint}: {text}")
        self.endpoint = endpoint
        self.text = text


class RateLimited(ApiError):
    """The budget is used up.

    `retry_after` says when to come back; `local` that no request was spent on finding out.
    """

    def __init__(self, endpoint: str, retry_after: timedelta, *, local: bool = False) -> None:
        kept = "held back" if local else "refused"
        super().__init__(
            endpoint, f"{kept} by the rate limit for {retry_after.total_seconds():.1f} s"
        )
        self.retry_after = retry_after
        self.local = local


class Stopped(ApiError):
    """The call would have changed something on behalf of acting, and was not permitted right before it was to leave."""


class Unavailable(ApiError):
    """Nobody answered, or the answer was a server's failure; repeating the call is safe.

    `status` is None without an answer.
    """

    def __init__(
        self,
        endpoint: str,
        text: str,
        status: int | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(endpoint, text)
        self.status = status
        self.retry_after = retry_after


class UnknownOutcome(ApiError):
    """A POST left, and whether it was executed is not known. `status` is None without an answer."""

    def __init__(self, endpoint: str, text: str, status: int | None = None) -> None:
        super().__init__(endpoint, text)
        self.status = status


class NotUnderstood(ApiError):
    """A successful answer to a read that cannot be read.

    Not JSON, or not of the documented kind.
    """


class Refused(ApiError):
    """The API said no. `codes` are Cloudflare's own numbers, `text` their bounded explanation."""

    def __init__(
        self, endpoint: str, status: int, codes: tuple[int, ...] = (), text: str = ""
    ) -> None:
        numbers = f" {codes}" if codes else ""
        super().__init__(endpoint, f"{status}{numbers} {text}".rstrip())
        self.status = status
        self.codes = codes
        self.text = text


class Unauthenticated(Refused):
    """The token is not valid."""


class NotPermitted(Refused):
    """The token is valid, but may not do this.

    It lacks *Cloud Email Security: Read* or *Write*, or the account has no such product.
    """


class NotFound(Refused):
    """No such id, aged out, or no such path (code 7003)."""


class Rejected(Refused):
    """The request itself is refused: a bad value, a conflict, a redirect."""


_MEANINGS: dict[int, type[Refused]] = {
    HTTPStatus.UNAUTHORIZED: Unauthenticated,
    HTTPStatus.FORBIDDEN: NotPermitted,
    HTTPStatus.NOT_FOUND: NotFound,
}
_BAD_TOKEN = frozenset(
    {6003, 6111}
)  # "Invalid request headers": what a malformed token is told, with status 400


def refusal(endpoint: str, status: int, codes: tuple[int, ...], text: str) -> Refused:
    """Build the error of a 3xx or 4xx answer that says the request was not executed."""
    kind = _MEANINGS.get(status, Rejected)
    if status == HTTPStatus.BAD_REQUEST and _BAD_TOKEN.intersection(codes):
        kind = Unauthenticated
    return kind(endpoint, status, codes, text)
