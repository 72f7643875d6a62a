"""Why the console does not do what somebody asks. Each becomes an answer with its status.

Refusal
├─ RequestRefused     400, 403, 408, 413, 421: the request itself is not acceptable
├─ SignInNeeded       401: nobody is signed in
├─ SignInUnavailable  503: the identity provider does not answer
├─ RoleNeeded         403: whoever is signed in may not do this
├─ FreshSignInNeeded  403: the sign-in is too old for this
└─ TooManyRequests    429
"""

import math
from http import HTTPStatus

from clawback.console.errors import ConsoleError
from clawback.model.identity import Identity, Role


class Refusal(ConsoleError):
    """An answer in place of the one that was asked for; every text in it is ours.

    `heading` is what a page says; the title, which programs read, is that of the status.
    """

    status: HTTPStatus = HTTPStatus.BAD_REQUEST
    heading = "This request is refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RequestRefused(Refusal):
    """The request itself is not acceptable, whoever sends it."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class SignInNeeded(Refusal):
    """Nobody is signed in."""

    status = HTTPStatus.UNAUTHORIZED
    heading = "Sign in first"
    headers = {"WWW-Authenticate": 'Bearer realm="clawback"'}  # noqa: RUF012 - frozen by Mapping

    def __init__(self, detail: str = "You are not signed in, or your session has ended.") -> None:
        super().__init__(detail)


class SignInUnavailable(Refusal):
    """The identity provider does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    heading = "Nobody can sign in at the moment"


class RoleNeeded(Refusal):
    """Whoever is signed in may not do this."""

    status = HTTPStatus.FORBIDDEN
    heading = "Your role does not allow this"

    def __init__(self, identity: Identity, role: Role) -> None:
        own = ", ".join(identity.roles) or "no role"
        super().__init__(f"This takes the role {role}; {identity.label} has {own}.")
        self.role = role


class FreshSignInNeeded(Refusal):
    """The sign-in is too old for this."""

    status = HTTPStatus.FORBIDDEN
    heading = "Sign in again"

    def __init__(self) -> None:
        super().__init__("This needs a sign-in of the last 15 minutes.")


class TooManyRequests(Refusal):
    """A limit is reached; `seconds` says when to come back."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    heading = "Too many requests"

    def __init__(self, what: str, seconds: float) -> None:
        self.seconds = max(math.ceil(seconds), 1)
        super().__init__(f"Too many {what}: try again in {self.seconds} s.")
        self.headers = {"Retry-After": str(self.seconds)}
