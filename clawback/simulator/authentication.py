"""Who calls, and whether they may: tokens and their scopes.

Source: reference §1.1 (auth, token permission).
"""

from collections.abc import Mapping

from starlette.datastructures import Headers

from clawback.simulator.envelopes import AUTHENTICATION, Refusal
from clawback.simulator.options import Scope


def identify(headers: Headers, tokens: Mapping[str, Scope]) -> str:
    """The caller's token, from `Authorization: Bearer` or from the pair of legacy headers.

    Raises:
        Refusal: 401, there is none or it is not known.

    """
    token = _bearer(headers.get("authorization", "")) or _legacy(headers)
    if not token or (tokens and token not in tokens):
        raise Refusal(401, AUTHENTICATION, "Authentication error")
    return token


def permit(token: str, method: str, tokens: Mapping[str, Scope]) -> None:
    """Check that the token may make such a request.

    Reads want Read or Write, everything else Write.

    Raises:
        Refusal: 403, it may not.

    """
    scope = tokens.get(token, Scope.WRITE)
    needed = "Read" if method in ("GET", "HEAD") else "Write"
    if scope is Scope.NONE or (scope is Scope.READ and needed == "Write"):
        raise Refusal(
            403, AUTHENTICATION, f"The token lacks the permission Cloud Email Security: {needed}"
        )


def _bearer(value: str) -> str:
    kind, _, token = value.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _legacy(headers: Headers) -> str:
    return headers.get("x-auth-key", "") if headers.get("x-auth-email") else ""
