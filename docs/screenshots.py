"""Takes the pictures of the console in docs/operations/console/: `python -m docs.screenshots`.

They show the demo of `clawback up` in mode approve, in Debian's chromium.
"""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

from clawback.local import environment_with, free_port
from docs.tables import DOCS

FOLDER: Final = DOCS / "operations" / "console"
_COMMAND: Final = (sys.executable, "-c", "from clawback.cli import main; main()", "up", "--plain")
_LINK: Final = re.compile(r"http://\S+/auth/local\?link=\S+")
_CHROMIUM: Final = ("chromium-headless-shell", "chromium")
_DESK: Final = {"width": 1200, "height": 800}
_PHONE: Final = {"width": 360, "height": 740}
_MAIL: Final = 12
"""Messages that the demo has read before the pictures are taken."""
_PAGES: Final[Mapping[str, str]] = {
    "inbox": "/",
    "history": "/history",
    "rules": "/rules",
    "operations": "/ops",
    "numbers": "/numbers",
    "stop": "/stop",
}


def demo_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which the demo asks before it acts, with ports of its own."""
    return environment_with(
        {
            "CLAWBACK_STATE": str(folder / "state"),
            "CLAWBACK_MODE": "approve",
            "CLAWBACK_INTERVAL": "1s",
            "CLAWBACK_TEMPORAL_PORT": str(free_port()),
            "CLAWBACK_UI_PORT": str(free_port()),
            "CLAWBACK_SIMULATOR_PORT": str(free_port()),
            "CLAWBACK_CODEC": f"127.0.0.1:{free_port()}",
            "CLAWBACK_CONSOLE": f"127.0.0.1:{free_port()}",
            "CLAWBACK_METRICS": f"127.0.0.1:{free_port()}",
        },
        without=("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_"),
    )


@asynccontextmanager
async def running_demo() -> AsyncIterator[str]:
    """Run the demo until it has read some mail; yield the link that signs a browser in."""
    with TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, env=demo_environment(Path(folder)), stdout=asyncio.subprocess.PIPE
        )
        try:
            yield await _read_link(process)
        finally:
            process.terminate()
            await process.wait()


async def _read_link(process: asyncio.subprocess.Process) -> str:
    link, seen = "", 0
    assert process.stdout is not None  # noqa: S101 - it was asked for
    async for line in process.stdout:
        text = line.decode()
        if (found := _LINK.search(text)) is not None:
            link = found[0]
        if (counted := re.search(r" seen (\d+)", text)) is not None:
            seen = int(counted[1])
        if link and seen >= _MAIL:
            return link
    raise SystemExit("the demo ended before it had read mail")


async def take_pictures(browser: Browser, link: str) -> None:
    """Sign in and take a picture of each page, of a case, and of a case on a phone."""
    context = await browser.new_context(viewport=_DESK)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(link)
    origin = page.url.rstrip("/")
    for name, path in _PAGES.items():
        await page.goto(f"{origin}{path}")
        await _save(page, name)

    await page.goto(origin)
    await page.locator("[data-row] a[data-open]").first.click()
    await page.wait_for_load_state()
    await _save(page, "case")
    await page.set_viewport_size(_PHONE)  # type: ignore[arg-type]
    await page.emulate_media(color_scheme="dark")
    await _save(page, "case-phone")
    await context.close()


async def _save(page: Page, name: str) -> None:
    await page.screenshot(path=FOLDER / f"{name}.png")
    os.write(1, f"{name}.png\n".encode())


async def main() -> None:
    """Take all pictures again."""
    FOLDER.mkdir(exist_ok=True)
    path = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if path is None:
        raise SystemExit("no chromium on this machine; Debian: apt install chromium")
    async with running_demo() as link, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        await take_pictures(browser, link)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
