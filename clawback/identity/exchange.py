"""One bounded exchange of JSON with an identity provider.

https only, except on this machine. No redirect is followed, so no token reaches another host. Body
and time are bounded.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from clawback.identity.errors import ProviderUnavailable
from clawback.model.hosts import is_loopback
from clawback.model.texts import bounded, printable
from clawback.outbound_http import NetworkSettingsError, OutboundTransport

MAX_BODY: Final = 256 * 1024
TIMEOUT: Final = 10.0
"""Seconds that one exchange may take, from the connection to the last byte."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of an answer and the object in its body; not JSON is an empty object."""

    status: int
    body: Mapping[str, Any]

    @property
    def error(self) -> str:
        """The error code of OAuth 2.0, or an empty string."""
        return clean(self.body.get("error"))


def require_private(url: str) -> str:
    """Return a URL to which secrets may be sent.

    Raises:
        ProviderUnavailable: it is neither https nor on this machine.

    """
    parts = urlsplit(url)
    is_here = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or not (parts.scheme == "https" or is_here):
        raise ProviderUnavailable(f"the identity provider names {clean(url)!r}, which is not https")
    return url


def clean(text: object) -> str:
    """Return a text of the provider, harmless and short; an empty one if it is none."""
    return bounded(printable(text), _LONGEST) if isinstance(text, str) else ""


@asynccontextmanager
async def open_http() -> AsyncIterator[httpx.AsyncClient]:
    """Open a client that follows no redirect and reads no password of a file."""
    async with httpx.AsyncClient(
        transport=OutboundTransport(), trust_env=False, follow_redirects=False, timeout=TIMEOUT
    ) as http:
        yield http


async def get_json(
    http: httpx.AsyncClient, url: str, headers: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """Read an object.

    Raises:
        ProviderUnavailable: there is none.

    """
    answer = await _exchange(http, http.build_request("GET", require_private(url), headers=headers))
    if answer.status != HTTPStatus.OK or not answer.body:
        host = urlsplit(url).hostname
        raise ProviderUnavailable(f"{host} answers {answer.status} for {urlsplit(url).path}")
    return answer.body


async def post_form(http: httpx.AsyncClient, url: str, form: Mapping[str, str]) -> Answer:
    """Send a form; an answer that reports an error is returned too.

    Raises:
        ProviderUnavailable: there is no answer.

    """
    return await _exchange(http, http.build_request("POST", require_private(url), data=form))


async def _exchange(http: httpx.AsyncClient, request: httpx.Request) -> Answer:
    request.headers["Accept"] = "application/json"
    try:
        async with asyncio.timeout(TIMEOUT):
            response = await http.send(request, stream=True)
            try:
                return Answer(response.status_code, _parse(await _read(response)))
            finally:
                await response.aclose()
    except NetworkSettingsError as error:
        raise ProviderUnavailable(str(error)) from error
    except (httpx.HTTPError, TimeoutError) as error:
        host = request.url.host
        raise ProviderUnavailable(f"{host} does not answer: {type(error).__name__}") from error


async def _read(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_BODY:
            raise ProviderUnavailable(f"{response.url.host} answers more than {MAX_BODY:,} bytes")
    return body


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
