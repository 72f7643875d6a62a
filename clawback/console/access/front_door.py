"""Builds the front door of the console from the settings: site, gate, and the pages of signing in.

It is the composition root of everything that decides who somebody is.
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from clawback.audit import AuditLog
from clawback.console.access.authenticator import Authenticator, LocalUser
from clawback.console.access.gate import SessionGate
from clawback.console.access.page_limits import PageLimits
from clawback.console.access.revocations import Revocations
from clawback.console.access.sealing import console_secrets
from clawback.console.access.session_cookie import SessionCookie
from clawback.console.access.sign_in import SIGN_IN, START, SignInPages
from clawback.console.access.sign_in_log import SignInLog
from clawback.console.access.sign_in_views import SignInViews, Way
from clawback.console.access.site import Site, read_site
from clawback.console.access.started_sign_in import StartedCookies
from clawback.console.page_routes import Page
from clawback.identity.access import AccessVerifier
from clawback.identity.configuration import access_verifier, client_settings
from clawback.identity.discovery import ProviderConnection
from clawback.identity.exchange import open_http
from clawback.identity.links import OneTimeLinks
from clawback.identity.peers import find_user
from clawback.settings import Settings
from clawback.temporal.key_ring import KeyRing

Clock = Callable[[], datetime]
LINK_PATH = "/auth/local"


@dataclass(frozen=True)
class FrontDoor:
    """What the application needs to know who comes. `pages` go before all others."""

    site: Site
    gate: SessionGate
    pages: Sequence[Page]
    links: OneTimeLinks | None = None

    def create_link(self) -> str | None:
        """Make a link that signs the user of this machine in, once; None with a provider."""
        if self.links is None:
            return None
        return sign_in_link(self.links, self.site.link_host)


def sign_in_link(links: OneTimeLinks, host: str) -> str:
    """Return the URL of a new link."""
    return f"http://{host}{LINK_PATH}?link={links.create()}"


def console_links(keys: Sequence[bytes]) -> OneTimeLinks:
    """Return the links of the console under the secrets of a key ring."""
    return OneTimeLinks(keys, "console")


@asynccontextmanager
async def open_front_door(  # noqa: PLR0913 - what a console has
    settings: Settings,
    keys: KeyRing | None,
    revocations: Revocations,
    *,
    address: str | None = None,
    now: Clock = lambda: datetime.now(UTC),
    seconds: Callable[[], float] = time.monotonic,
    local: LocalUser | None = None,
    audit: AuditLog | None = None,
) -> AsyncIterator[FrontDoor]:
    """Open the front door until the block is left; `address` is where the console listens.

    Rates are counted by `seconds`, which no change of the clock concerns. Who signs in and out is
    recorded in `audit`.

    Raises:
        IdentityError: a setting is missing, or other machines could reach a console that cannot
            tell people apart.
        SecretUnreadable: the client secret of the provider is in a file that cannot be read.

    """
    site, secrets = read_site(settings, address), console_secrets(keys)
    async with AsyncExitStack() as stack:
        provider = await _connect(settings, stack)
        access = await _verify_access(settings, stack)
        if settings.has_identity_provider:
            local = None
        else:
            local = local or LocalUser(os.geteuid(), find_user)

        cookie = SessionCookie(secrets, is_secure=site.is_secure, name=settings.installation)
        authenticator = Authenticator(
            cookie,
            revocations,
            now,
            issuer=settings.identity_issuer,
            access=access,
            local=local,
        )
        way = Way.LOCAL if local else Way.OIDC if provider else Way.ACCESS
        views = SignInViews(way, settings.identity_roles_claim, settings.identity_issuer or "")
        start, sign_ins = START if provider else SIGN_IN, SignInLog(audit, now)
        gate = SessionGate(
            authenticator, cookie, PageLimits(site, seconds), views, sign_ins, start=start
        )
        pages = SignInPages(
            site=site,
            views=views,
            cookie=cookie,
            started=StartedCookies(secrets, is_secure=site.is_secure),
            authenticator=authenticator,
            revocations=revocations,
            now=now,
            log=sign_ins,
            provider=provider,
            local=local,
            links=console_links(secrets) if local else None,
        )
        yield FrontDoor(site, gate, pages.pages, pages.links)


async def _connect(settings: Settings, stack: AsyncExitStack) -> ProviderConnection | None:
    if settings.identity_issuer is None:
        return None
    client = client_settings(settings)
    if client.client_secret is not None:
        # Else the first person who signs in would find out that it cannot be read.
        client.client_secret.get_secret_value()
    connection = ProviderConnection(client)
    stack.push_async_callback(connection.close)
    return connection


async def _verify_access(settings: Settings, stack: AsyncExitStack) -> AccessVerifier | None:
    if settings.identity_access_team is None:
        return None
    return access_verifier(await stack.enter_async_context(open_http()), settings)
