"""A browser for the pages: Debian's chromium, driven by Playwright, one for each process."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))),
    None,
)


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
