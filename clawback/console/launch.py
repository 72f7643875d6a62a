"""Starts the console: its composition root. Everything that a page works with is built here."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from starlette.applications import Starlette

from clawback.cloudflare import EmailSecurity
from clawback.console.access.front_door import console_links, open_front_door, sign_in_link
from clawback.console.access.revocations import SharedRevocations
from clawback.console.access.site import read_site
from clawback.console.api.api_services import ApiServices
from clawback.console.api.application import build_api
from clawback.console.app import build_app
from clawback.console.background_task import running_beside
from clawback.console.pages import PAGES
from clawback.console.server import serve
from clawback.console.services import Services
from clawback.local.worker_api import NoCredentials, open_worker_api
from clawback.model.hosts import split_address
from clawback.services.secret_watcher import SecretWatcher
from clawback.settings import Settings
from clawback.telemetry.supervisor import BackgroundTask
from clawback.temporal.access_gateway import AccessGateway
from clawback.temporal.account_binding import connect_to_own
from clawback.temporal.client import api_key_of, read_keys


@dataclass(frozen=True)
class Console:
    """The application. `link` signs in where no key is set: only this process knows its secret."""

    app: Starlette
    link: str | None


def make_sign_in_link(settings: Settings) -> str | None:
    """Make a link that signs a browser in, once, within five minutes, to a console that runs.

    None if people sign in at an identity provider, or no key is set: only the process itself
    knows its secret then.

    Raises:
        IdentityError: other machines could reach a console without an identity provider.
        PayloadKeyError: the keys cannot be read.

    """
    keys = read_keys(settings)
    if settings.has_identity_provider or keys is None:
        return None
    links = console_links([key.secret for key in keys])
    return sign_in_link(links, read_site(settings).link_host)


async def run_console(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve the console until cancelled; `say` gets the line with its URL.

    Raises:
        IdentityError: a setting of the identity provider is missing, or none is set and other
            machines could reach the console.
        TemporalUnreachable, ForeignAccount, PayloadKeyError: as `connect_to_own` says.
        OSError: the address cannot be bound.

    """
    # A wrong setting is named before a server is asked for, which may not run.
    read_site(settings)
    host, port = split_address(settings.console)
    async with open_console(settings) as console, serve(console.app, host, port) as url:
        say(f"console at {settings.console_url or url}")
        if console.link is not None:
            say(f"sign in with {console.link}")
        elif not settings.has_identity_provider:
            say("`clawback console --link` prints a link to sign in with")
        await asyncio.Event().wait()


@asynccontextmanager
async def open_console(settings: Settings) -> AsyncIterator[Console]:
    """Build the application with everything that it works with, until the block is left."""
    keys = read_keys(settings)
    client = await connect_to_own(settings)
    async with AsyncExitStack() as stack:
        cloudflare: EmailSecurity | None = None
        # Without credentials everything but the contents of messages is there.
        with suppress(NoCredentials):
            cloudflare = await stack.enter_async_context(open_worker_api(settings))
        services = Services(settings, client, api=cloudflare)
        api = ApiServices(
            client, settings, services.rules.read, services.limits.undo, services.access
        )
        revocations = SharedRevocations(services.access, AccessGateway(client))
        await services.access.read()
        watcher = SecretWatcher(client, api_key_of(settings))
        await stack.enter_async_context(
            services.tasks.running(BackgroundTask.SECRETS, watcher.watch)
        )
        await stack.enter_async_context(
            services.tasks.running(BackgroundTask.ACCESS, services.access.watch)
        )
        # The first page of a case would wait for this, for seconds.
        await stack.enter_async_context(running_beside(services.rules.read_facts()))
        audit = services.views.audit
        door = await stack.enter_async_context(
            open_front_door(settings, keys, revocations, audit=audit)
        )
        app = build_app(
            services,
            door.gate,
            (*door.pages, *PAGES),
            others=[build_api(api, door.gate.read_session)],
            site=door.site,
        )
        yield Console(app, door.create_link() if keys is None else None)
