"""Namespaces, and a browser for each process: Debian's chromium, driven by Playwright."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, async_playwright, expect
from temporalio.client import Client

from tests.conftest import SharedServers, server_or_namespace
from tests.console.case_bench import CaseBench, case_bench

# A page that is right at once costs none of it; one on a busy machine may take a while.
expect.set_options(timeout=20_000)

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))),
    None,
)


@pytest.fixture
async def temporal(
    request: pytest.FixtureRequest, shared_servers: SharedServers
) -> AsyncIterator[Client]:
    """An empty namespace; a server of its own for a test that configures it."""
    async with server_or_namespace(request, shared_servers) as client:
        yield client


@pytest.fixture(scope="module")
async def shared_bench(
    tmp_path_factory: pytest.TempPathFactory, shared_servers: SharedServers
) -> AsyncIterator[CaseBench]:
    """A console over an installation for the tests of a module."""
    folder = tmp_path_factory.mktemp("console")
    async with shared_servers.namespace() as client, case_bench(client, folder) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: CaseBench) -> CaseBench:
    """The installation of the module, with nothing left of the last test but its cases."""
    shared_bench.renew()
    return shared_bench


@pytest.fixture(autouse=True)
def _clicks_wait_for_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A click ends when the page that it leads to is there whole, not when it has begun."""
    click = Locator.click

    async def click_and_wait(self: Locator, **options: Any) -> None:
        await click(self, **options)
        await self.page.wait_for_load_state()

    monkeypatch.setattr(Locator, "click", click_and_wait)


@pytest.fixture
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """A browser without windows. Those of a test close with it: their pages listen for events."""
    yield chromium
    for window in chromium.contexts:
        await window.close()


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser of this process; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; Debian: apt install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            # Its own sandbox needs rights that root in a container lacks.
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield browser
        await browser.close()
