"""Repeats of a request under one `Idempotency-Key`: they get the first answer.

This process remembers answers for ten minutes. What a key decides in a case, the case itself
remembers, over restarts and for all replicas: the key becomes the id of its order.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from cachetools import TTLCache
from starlette.responses import Response

from clawback.console.api.problems import BadRequest, InputError, InvalidInput
from clawback.model.identity import Identity

REPLAYED: Final = "Idempotent-Replayed"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_MOST: Final = 2_000
_SECONDS: Final = 600
_SERVER_ERROR: Final = 500
_DIGITS: Final = 32


@dataclass(frozen=True)
class _Known:
    body: str
    answer: "asyncio.Task[Response]"


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
        self._known: TTLCache[str, _Known] = TTLCache(_MOST, _SECONDS)

    async def answer(
        self, nonce: str, body: bytes, call: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Answer a request once; a repeat waits for the first answer and gets the same.

        Raises:
            InvalidInput: the key was used for another request.

        """
        digest = hashlib.sha256(body).hexdigest()
        known = self._known.get(nonce)
        if known is not None and known.body != digest:
            detail = "was used for a request with another body: send another key"
            raise InvalidInput([InputError(place="header.Idempotency-Key", detail=detail)])
        if known is not None:
            first = await asyncio.shield(known.answer)
            headers = {**first.headers, REPLAYED: "true"}
            return Response(first.body, first.status_code, headers)

        # A task of its own: it ends even if the first client goes away.
        answer = asyncio.ensure_future(call())
        self._known[nonce] = _Known(digest, answer)
        try:
            given = await asyncio.shield(answer)
        except Exception:
            self._known.pop(nonce, None)
            raise
        if given.status_code >= _SERVER_ERROR:
            self._known.pop(nonce, None)
        return given
