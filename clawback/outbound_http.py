"""How requests leave this machine: which proxy they take, and which certificates they trust.

`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, also in lower case, and `SSL_CERT_FILE` and
`SSL_CERT_DIR`, as other programs read them. Nothing for this machine goes through a proxy. httpx
reads the same variables, but refuses networks of IPv6 and matches none of IPv4 (ADR 72).
"""

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from clawback.model.hosts import is_loopback
from clawback.settings import SettingsError

_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
_PORTS = {"http": 80, "https": 443}


class NetworkSettingsError(SettingsError):
    """A variable of the environment names no usable proxy or no certificates."""


@dataclass(frozen=True)
class Proxies:
    """The proxies that an environment names, and the hosts that need none."""

    environment: Mapping[str, str]

    def find(self, url: str) -> str | None:
        """Return the URL of the proxy for a request; None if it goes directly.

        Raises:
            NetworkSettingsError: the proxy for it is unusable. The text never holds its password.

        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        if is_loopback(host) or self._is_excepted(host, port):
            return None

        for variable in (f"{parts.scheme}_proxy", "all_proxy"):
            for name in (variable, variable.upper()):
                if value := self.environment.get(name, "").strip():
                    return _check_proxy(name, value)
        return None

    def _is_excepted(self, host: str, port: int) -> bool:
        value = self.environment.get("no_proxy") or self.environment.get("NO_PROXY") or ""
        return any(_excepts(entry, host, port) for entry in re.split(r"[\s,]+", value) if entry)


def _check_proxy(name: str, value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False

    if not is_usable:
        raise NetworkSettingsError(
            f"{name} names no usable proxy: write http://HOST:PORT, https://HOST:PORT or "
            "socks5://HOST:PORT"
        )
    return url


def _excepts(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY is about a host: a domain with all below, address or network."""
    if entry == "*":
        return True

    name, _, only = entry.rpartition(":")
    if name and only.isdecimal() and ("]" in name or ":" not in name):
        if int(only) != port:
            return False
        entry = name

    entry = entry.strip("[]")
    address = _read_address(host)
    if address is not None:
        return _contains(entry, address)
    domain = entry.lower().removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _read_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _contains(entry: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(entry, strict=False)
    except ValueError:
        return False


def default_tls_context(environment: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Build the context that verifies servers: by `SSL_CERT_FILE` or `SSL_CERT_DIR`, else certifi.

    Raises:
        NetworkSettingsError: what the variable names is missing, or holds no certificates.

    """
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file and not Path(file).is_file():
        raise NetworkSettingsError(f"SSL_CERT_FILE names {file}, and there is no such file")
    if folder and not file and not Path(folder).is_dir():
        raise NetworkSettingsError(f"SSL_CERT_DIR names {folder}, and there is no such folder")

    try:
        if file or folder:
            return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except (ssl.SSLError, OSError) as error:
        reason = error.strerror or type(error).__name__
        raise NetworkSettingsError(
            f"SSL_CERT_FILE names {file}, which has no certificates in PEM format: {reason}"
        ) from None
    return httpx.create_ssl_context(trust_env=False)


class OutboundTransport(httpx.AsyncBaseTransport):
    """Sends each request directly, or through the proxy that the environment names for it.

    What it needs for a URL is built with the first request to it, or before by `prepare`.
    """

    def __init__(
        self,
        limits: httpx.Limits | None = None,
        tls: Callable[[], ssl.SSLContext] = default_tls_context,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)
        self._tls = lru_cache(maxsize=1)(tls)
        self._proxies = Proxies(environment)
        self._transports: dict[tuple[str | None, bool], httpx.AsyncHTTPTransport] = {}

    def prepare(self, url: str) -> httpx.AsyncHTTPTransport:
        """Build what a request to a URL needs, so that a wrong setting is found at start.

        Raises:
            NetworkSettingsError: proxy or certificates are unusable.

        """
        proxy = self._proxies.find(url)
        needs_tls = "https" in {urlsplit(url).scheme, urlsplit(proxy or "").scheme}
        key = (proxy, needs_tls)
        if key not in self._transports:
            self._transports[key] = self._open(proxy, needs_tls=needs_tls)
        return self._transports[key]

    def _open(self, proxy: str | None, *, needs_tls: bool) -> httpx.AsyncHTTPTransport:
        if not needs_tls:
            # It is asked for no certificate: a demo needs none, even if the variables are wrong.
            plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            return httpx.AsyncHTTPTransport(plain, limits=self._limits, proxy=proxy)

        tls = self._tls()
        via = httpx.Proxy(proxy, ssl_context=tls) if proxy and proxy[:5] == "https" else proxy
        return httpx.AsyncHTTPTransport(tls, limits=self._limits, proxy=via)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        return await self.prepare(str(request.url)).handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()
