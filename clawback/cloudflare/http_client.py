"""Builds the httpx client of one account: URL and token checks, timeouts, connection limits."""

from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import httpx

from clawback.cloudflare.api_request import encode_segment
from clawback.outbound_http import OutboundTransport

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


def open_http_client(
    url: str, token: str, transport: httpx.AsyncBaseTransport | None, timeout: timedelta
) -> httpx.AsyncClient:
    """Build the httpx client: no redirects, no retries.

    The token is in a header that httpx keeps out of its `repr`.

    Raises:
        ValueError: the URL or the token is unusable; the text never holds the token.
        NetworkSettingsError: the proxy or the certificates of the environment are unusable.

    """
    _check_url(url)
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ValueError("the API token must be printable ASCII without blanks")

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
        headers={
            "Authorization": f"Bearer {token}",
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
