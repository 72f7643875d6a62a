"""The console on a real port, for tests: with a gate that lets in whom the test names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from temporalio.client import Client

from clawback.cloudflare import EmailSecurity
from clawback.console import page_routes
from clawback.console.access.who import Visitor
from clawback.console.app import build_app
from clawback.console.server import serve
from clawback.console.services import Services
from clawback.model.identity import Identity, IdentitySource, Role
from clawback.settings import Settings

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


@dataclass
class NamedGate:
    """Lets in one person with one role. The real gate has tests of its own."""

    role: Role = Role.OPERATOR
    name: str = "ana"

    @property
    def identity(self) -> Identity:
        """The person who is let in."""
        return Identity(
            source=IdentitySource.OIDC,
            issuer="https://id.test",
            subject=self.name,
            name=self.name,
            is_verified=True,
            roles=(self.role,),
        )

    async def admit(self, _: Request, page: page_routes.Page) -> Visitor | Response | None:
        visitor = Visitor(
            identity=self.identity,
            session="session-of-a-test",
            csrf="csrf-of-a-test",
            signed_in_at=datetime.now(UTC),
        )
        if page.role is not None and not visitor.may(page.role):
            return PlainTextResponse("not found", 404)
        return visitor


@dataclass
class ConsoleSite:
    """A running console. `said` is what browsers complained about: there must be nothing."""

    url: str
    services: Services
    gate: NamedGate
    said: list[str] = field(default_factory=list)
    windows: list[BrowserContext] = field(default_factory=list)

    async def open(
        self, browser: Browser, path: str = "/", *, phone: bool = False, **options: object
    ) -> Page:
        """Open a page in a window of its own; whatever the browser complains about is kept."""
        context = await browser.new_context(
            viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
            base_url=self.url,
            **options,  # type: ignore[arg-type]
        )
        # A page that is right at once costs none of it; one on a busy machine may take a while.
        context.set_default_timeout(90_000)
        self.windows.append(context)
        page = await context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        await page.goto(path)
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(message.text)


async def accessibility_problems(page: Page) -> list[str]:
    """What axe-core finds wrong with a page, by rule and element."""
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = await Axe().run(page, options=options)
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


@asynccontextmanager
async def running_console(
    client: Client, settings: Settings, api: EmailSecurity | None = None
) -> AsyncIterator[ConsoleSite]:
    """Run the console over a Temporal client until the block is left; cases have been read."""
    services, gate = Services(settings, client, api=api), NamedGate()
    await services.read_model.refresh()
    async with serve(build_app(services, gate), "127.0.0.1", 0) as url:
        site = ConsoleSite(url, services, gate)
        yield site

        # The server would wait for pages that listen for events.
        for window in site.windows:
            await window.close()
