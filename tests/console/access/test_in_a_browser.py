"""Signing in with a real browser at a real provider, whose rules about cookies decide."""

from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.console.access.front import GROUPS, Front, minutes, opened
from tests.console.console_site import accessibility_problems
from tests.http_server import serving
from tests.identity.providers import CLIENT, mock_provider

ANA = '"who":"ana"'


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    """A console whose people sign in at oidc-provider-mock."""
    process, issuer = await mock_provider()
    settings = {"identity_issuer": issuer, "identity_client_id": CLIENT, **GROUPS}
    try:
        async with opened({**settings, "identity_client_secret": "not-checked"}) as found:
            yield found
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def chat(front: Front) -> Iterator[str]:
    """A page of another site with a link to a case, and a form that attacks."""
    console = console_of(front)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = (
                f'<a href="{console}/cases/1?run=7">Case 1</a>'
                f'<form method="post" action="{console}/decide"><button>Win</button></form>'
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Handler) as url:
        yield url


def console_of(front: Front) -> str:
    """The console under a name that browsers take for another site than 127.0.0.1."""
    return front.url.replace("127.0.0.1", "localhost")


async def sign_in_at_the_provider(page: Page, name: str = "ana") -> None:
    """Type who one is, as the mock asks for it."""
    await page.locator("input[name=sub]").fill(name)
    await page.locator("input[name=sub]").press("Enter")


async def test_a_link_in_a_chat_opens_the_case(front: Front, chat: str, browser: Browser) -> None:
    """First with a sign-in, then without a single question, although the cookie is strict."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(chat)
    await page.get_by_text("Case 1").click()
    await page.wait_for_url("**/oauth2/authorize*")
    await sign_in_at_the_provider(page)
    case = f"{console_of(front)}/cases/1?run=7"
    await page.get_by_text(ANA).wait_for()
    assert page.url == case

    await page.goto(chat)
    await page.get_by_text("Case 1").click()
    await page.get_by_text(ANA).wait_for()
    assert page.url == case
    (cookie,) = await context.cookies(console_of(front))
    assert (cookie["name"], cookie["sameSite"], cookie["httpOnly"]) == (
        "clawback-console",
        "Strict",
        True,
    )
    await context.close()


async def test_the_form_of_another_site_decides_nothing(
    front: Front, chat: str, browser: Browser
) -> None:
    """Of somebody who is signed in."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{console_of(front)}/cases/1")
    await page.wait_for_url("**/oauth2/authorize*")
    await sign_in_at_the_provider(page)
    await page.wait_for_url(f"{console_of(front)}/cases/1")

    await page.goto(chat)
    async with page.expect_response("**/decide") as answered:
        await page.get_by_text("Win").click()
    response = await answered.value
    assert response.status == 403
    assert urlsplit(response.url).path == "/decide"
    await context.close()


async def test_the_pages_of_signing_in_are_accessible(front: Front, browser: Browser) -> None:
    """At a desk and on a phone, in both themes; nothing scrolls sideways."""
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        said.append(message.text)

    for scheme, width in (("light", 1280), ("dark", 360)):
        context = await browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page = await context.new_page()
        page.on("console", note)
        for path in ("/sign-in", "/sign-in?problem=cookies", "/auth/signed-out"):
            await page.goto(console_of(front) + path)
            assert await accessibility_problems(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await context.close()
    assert said == []


async def test_somebody_without_a_role_sees_why(front: Front, browser: Browser) -> None:
    """The provider knows ben, but gives no groups of his."""
    context = await browser.new_context(viewport={"width": 360, "height": 800})
    page = await context.new_page()
    await page.goto(console_of(front))
    await sign_in_at_the_provider(page, "ben")
    await page.get_by_role("heading", name="You have no role here").wait_for()
    assert await page.get_by_text("The claim did not come").is_visible()
    assert await accessibility_problems(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await context.close()


async def test_a_page_offers_to_stay_signed_in(front: Front, browser: Browser) -> None:
    """A minute before the session ends, and no sooner; the session then goes on."""
    context = await browser.new_context(viewport={"width": 360, "height": 640})
    page = await context.new_page()
    await page.clock.install()
    await page.goto(f"{console_of(front)}/keys")
    await page.wait_for_url("**/oauth2/authorize*")
    await sign_in_at_the_provider(page)
    await page.get_by_role("heading", name="Keyboard shortcuts").first.wait_for()
    # Scripts run after the heading is there, and their clock starts then.
    await page.wait_for_load_state("load")
    stay = page.get_by_role("button", name="Stay signed in")

    await page.clock.fast_forward("28:50")
    assert not await stay.is_visible()
    front.clock.now += minutes(29)
    await page.clock.fast_forward("00:11")
    await stay.wait_for()
    await page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    await expect(stay).to_be_in_viewport()
    assert await accessibility_problems(page) == []
    async with page.expect_response("**/auth/extend") as answered:
        await stay.click()
    assert (await answered.value).status == 200
    await page.clock.fast_forward("00:02")
    await stay.wait_for(state="hidden")

    front.clock.now += minutes(29)
    await page.goto(f"{console_of(front)}/cases/1")
    assert ANA in await page.content()
    await context.close()
