"""Repeats of a request under one `Idempotency-Key`: they get the first answer.

This process remembers answers for ten minutes. What a key decides in a case, the case itself
remembers, over restarts and for all replicas: the key becomes the id of its order.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from clawback.console.api.problems import BadRequest, InputError, InvalidInput
from clawback.console.requests.once_only import OnceOnly, OtherRequest
from clawback.model.identity import Identity

REPLAYED: Final = "Idempotent-Replayed"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_MOST: Final = 2_000
_SERVER_ERROR: Final = 500
_DIGITS: Final = 32


def read_key(header: str | None) -> str | None:
    """Check an `Idempotency-Key`; None without one.

    Raises:
        BadRequest: it is too long, or has characters that no key has.

    """
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        raise BadRequest("Idempotency-Key: send 1 to 255 visible ASCII characters, such as a UUID")
    return header


def make_nonce(identity: Identity, path: str, key: str) -> str:
    """Return the id of the order of a request: the same for its repeats by the same person."""
    content = "\0".join((*identity.person, path, key))
    return hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:_DIGITS]


class Repeats:
    """The answers of this process, by the id of the order."""

    def __init__(self) -> None:
        self._once: OnceOnly[Response] = OnceOnly(
            lambda: datetime.now(UTC), _MOST, lambda given: given.status_code >= _SERVER_ERROR
        )

    async def answer(
        self, nonce: str, body: bytes, call: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Answer a request once; a repeat waits for the first answer and gets the same.

        Raises:
            InvalidInput: the key was used for another request.

        """
        is_repeat = self._once.has(nonce)
        try:
            given = await self._once.run(nonce, call, hashlib.sha256(body).hexdigest())
        except OtherRequest:
            detail = "was used for a request with another body: send another key"
            error = InputError(place="header.Idempotency-Key", detail=detail)
            raise InvalidInput([error]) from None
        if not is_repeat:
            return given
        headers = {**given.headers, REPLAYED: "true"}
        return Response(given.body, given.status_code, headers)
