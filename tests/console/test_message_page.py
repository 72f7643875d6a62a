"""The pages of messages and exceptions, in a real browser, over the simulator."""

import base64
import struct

import pytest
from playwright.async_api import Browser, expect

from clawback.console.errors import Unavailable
from clawback.console.sources.mail_reader import check_picture
from tests.console.case_bench import CaseBench
from tests.console.console_site import accessibility_problems


def png(width: int, height: int) -> str:
    """The head of a PNG of a size, in base64."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(
        ">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 0, 0, 0, 0
    )
    return base64.b64encode(head).decode()


@pytest.mark.parametrize(
    "sent", ["%", base64.b64encode(b"<svg/>").decode(), png(9_000, 1), png(0, 1)]
)
def test_what_is_no_picture_of_a_bounded_size_is_not_shown(sent: str) -> None:
    """Only a PNG passes, and none that takes a browser gigabytes."""
    with pytest.raises(Unavailable):
        check_picture(sent)
    assert check_picture(png(800, 600)).startswith(b"\x89PNG")


async def test_a_message_shows_text_and_its_picture_on_request(
    bench: CaseBench, browser: Browser
) -> None:
    """From the case to a message, with trace and log; the picture comes only after a click."""
    case = await bench.hold(2)
    page = await bench.site.open(browser, case.path)
    await page.get_by_role("button", name="Read verdicts and folders now").click()
    await expect(page.locator("#messages")).to_contain_text("Read from Cloudflare with 1 request.")
    folders = await page.locator("td[data-label^=Folder]").all_inner_texts()
    assert [text.rpartition(" → ")[2] for text in folders] == ["not moved"] * 2
    assert await accessibility_problems(page) == []

    await page.locator("a[data-open]").first.click()
    await expect(page.locator("main")).to_contain_text("Delivery trace")
    assert await page.locator("main img").count() == 0
    await page.get_by_role("button", name="Load screenshot").click()
    await expect(page.locator("#picture img")).to_be_visible()
    assert await page.locator("#picture img").evaluate("one => one.naturalWidth") == 1
    assert await accessibility_problems(page) == []

    page = await bench.site.open(browser, f"{case.path}/exception")
    await expect(page.locator("pre")).to_contain_text("condition: not wanted")
    assert bench.site.said == []
