"""Builds the httpx client of one account: URL and token checks, timeouts, connection limits."""

from collections.abc import Generator
from datetime import timedelta
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from clawback.cloudflare.api_request import encode_segment
from clawback.outbound_http import OutboundTransport
from clawback.secret_files import refresh_secret, require_form

MAX_CONNECTIONS = 20
CONNECT_TIMEOUT = 5.0
_MAX_IDLE_CONNECTIONS = 10

# Below uvicorn's 5 s: if the server closes a connection under a POST, its outcome is unknown.
_KEEPALIVE = 4.0
_LIMITS = httpx.Limits(
    max_connections=MAX_CONNECTIONS,
    max_keepalive_connections=_MAX_IDLE_CONNECTIONS,
    keepalive_expiry=_KEEPALIVE,
)


class TokenAuth(httpx.Auth):
    """Sends the token of now. One that was refused is read again, and another one tried once.

    A 401 says that nothing was executed, so every request may be repeated after it.
    """

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Authorize a request; see `httpx.Auth`."""
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        response = yield request
        if response.status_code == HTTPStatus.UNAUTHORIZED and refresh_secret(self._token):
            request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
            yield request


def check_token(token: str) -> None:
    """Require a token that may stand in a header.

    Raises:
        ValueError: it may not; the text never holds the token.

    """
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ValueError("the API token must be printable ASCII without blanks")


def open_http_client(
    url: str, token: SecretStr, transport: httpx.AsyncBaseTransport | None, timeout: timedelta
) -> httpx.AsyncClient:
    """Build the httpx client: no redirects, no retries.

    The token is in a header of each request, which httpx keeps out of its `repr`.

    Raises:
        ValueError: the URL or the token is unusable; the text never holds the token.
        NetworkSettingsError: the proxy or the certificates of the environment are unusable.

    """
    _check_url(url)
    require_form(token, check_token)

    if transport is None:
        transport = OutboundTransport(_LIMITS)
        transport.prepare(url)
    return httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(
            timeout.total_seconds(), connect=CONNECT_TIMEOUT, pool=CONNECT_TIMEOUT
        ),
        auth=TokenAuth(token),
        headers={
            "Accept": "application/json",
            "User-Agent": f"clawback/{_version()}",
        },
    )


def root_url(url: str, account_id: str) -> str:
    """Build the URL that all endpoints are below."""
    return f"{url.rstrip('/')}/accounts/{encode_segment(account_id)}/email-security/"


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    is_web = parts.scheme in {"http", "https"}
    if not is_web or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(
            "the API URL must be http(s)://host[:port][/path], without user, query or fragment"
        )


def _version() -> str:
    try:
        return version("clawback")
    except PackageNotFoundError:
        return "0"
