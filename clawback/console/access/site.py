"""Where people reach the console: its origins and hosts, and which way of signing in that takes."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from clawback.identity.errors import IdentityError
from clawback.model.hosts import is_loopback
from clawback.settings import Settings

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_REMEDY: Final = (
    "set up an identity provider with CLAWBACK_IDENTITY_ISSUER or CLAWBACK_IDENTITY_ACCESS_TEAM "
    "(docs/operations/identity.md)"
)


@dataclass(frozen=True)
class Site:
    """The console as browsers see it. `hosts` are the values of `Host` that it answers to.

    A page of another site can point its own name at this machine (DNS rebinding); the browser then
    sends that name.
    """

    scheme: str
    hosts: frozenset[str]
    is_proxied: bool = False
    """A reverse proxy is in front, so the address of the peer is that of the proxy."""

    @property
    def is_secure(self) -> bool:
        """Whether browsers come over https."""
        return self.scheme == "https"

    @property
    def link_host(self) -> str:
        """The host for links of this machine: its address rather than a name, where it has one."""
        return min(self.hosts, key=lambda host: (not host.startswith("127."), host))

    def origin(self, host: str) -> str:
        """The origin of the pages that a browser gets from one of the hosts."""
        return f"{self.scheme}://{host.lower()}"


def read_site(settings: Settings, address: str | None = None) -> Site:
    """Return where people reach the console that listens at `address`, by default the setting's.

    Raises:
        IdentityError: other machines could reach it without an identity provider or without https.

    """
    host, _, port = (address or settings.console).rpartition(":")
    url = settings.console_url
    is_public = url is not None and not is_loopback(urlsplit(url).hostname or "")
    if not settings.has_identity_provider:
        _require_loopback(settings, host, is_public=is_public)

    if url is not None and (is_public or urlsplit(url).scheme == "https"):
        return Site(urlsplit(url).scheme, _spell(url), is_proxied=True)
    if not is_loopback(host.strip("[]")):
        raise IdentityError(
            f"CLAWBACK_CONSOLE is {settings.console}, which other machines can reach: set "
            "CLAWBACK_CONSOLE_URL to the https URL at which they do"
        )
    return Site("http", frozenset(f"{name}:{port}" for name in {*_LOOPBACK, host}))


def _require_loopback(settings: Settings, host: str, *, is_public: bool) -> None:
    if not is_loopback(host.strip("[]")):
        raise IdentityError(
            f"CLAWBACK_CONSOLE is {settings.console}, which other machines can reach: {_REMEDY}, "
            "or use 127.0.0.1"
        )
    if is_public:
        raise IdentityError(
            f"CLAWBACK_CONSOLE_URL is {settings.console_url}, for people elsewhere: {_REMEDY}, or "
            "remove it"
        )


def _spell(url: str) -> frozenset[str]:
    """Give the values of `Host` that mean a URL: with and without a port that is the default."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    default = _DEFAULT_PORTS[parts.scheme]
    port = parts.port or default
    return frozenset({f"{host}:{port}", *([host] if port == default else [])})
