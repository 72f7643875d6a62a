"""A browser for the pages: Debian's chromium, driven by Playwright, one for each process."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.console.case_bench import CaseBench, case_bench

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))),
    None,
)


@pytest.fixture(scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CaseBench]:
    """A console over an installation in which each test makes its own cases."""
    async with case_bench(tmp_path_factory.mktemp("console")) as bench:
        yield bench


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser without windows; the test is skipped where there is none."""
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
