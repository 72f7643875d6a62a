"""Signing in at a provider, staying signed in, and what attackers try on the way."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from clawback.console.access.sealing import console_secrets
from clawback.console.access.session_cookie import IDLE, LONGEST, Session, SessionCookie
from clawback.model.identity import Role
from clawback.secret_files import SecretUnreadable
from tests.console.access.front import (
    RING,
    Browser,
    Front,
    leads_to,
    minutes,
    opened,
    problem_of,
    provider_settings,
)
from tests.identity.providers import LocalProvider, local_provider
from tests.people import person
from tests.waiting import eventually

COOKIE = "clawback-console"


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    """A provider whose answers the test decides."""
    with local_provider() as found:
        yield found


@pytest.fixture
async def front(provider: LocalProvider) -> AsyncIterator[Front]:
    """A console whose people sign in there."""
    async with opened(provider_settings(provider)) as found:
        yield found


async def test_a_link_from_a_chat_leads_to_the_case(front: Front, provider: LocalProvider) -> None:
    """Once more from our own page, to the provider, and back to exactly that page."""
    browser = front.browser()
    again = leads_to(await browser.get("/cases/1?run=7&sign-in-not=1"))
    assert again == "/cases/1?run=7&sign-in-not=1&sign-in=again"
    start = await browser.get(again)
    assert start.status_code == 303
    assert start.headers["location"].startswith("/auth/start?next=%2Fcases%2F1%3Frun%3D7")

    back = leads_to(await browser.sign_in(start.headers["location"]))
    assert back == "/cases/1?run=7&sign-in-not=1&sign-in=done"
    stripped = await browser.get(back)
    assert (stripped.status_code, stripped.headers["location"]) == (
        303,
        "/cases/1?run=7&sign-in-not=1",
    )
    shown = (await browser.get(stripped.headers["location"])).json()
    assert (shown["who"], shown["roles"], shown["via"]) == ("ana", ["analyst"], "session")
    assert provider.forms[0]["code_verifier"]


async def test_the_next_sign_in_has_the_new_client_secret(
    provider: LocalProvider, tmp_path: Path
) -> None:
    """Without a restart. A console that has never had one does not start."""
    file = tmp_path / "secret"
    settings = {**provider_settings(provider), "identity_client_secret_file": file}
    with pytest.raises(SecretUnreadable, match=f"cannot read the client secret {file}"):
        async with opened(settings):
            pass

    file.write_text("first")
    async with opened(settings) as front:
        for secret in ("first", "second"):
            file.write_text(f"{secret}\n")
            await front.browser().sign_in()
            assert provider.forms[-1]["client_secret"] == secret


async def test_a_browser_without_cookies_is_told_so(front: Front) -> None:
    """Instead of going around in circles."""
    response = await front.browser().get("/?sign-in=done")
    assert response.headers["location"] == "/sign-in?problem=cookies"
    shown = await front.browser().get("/sign-in?problem=cookies")
    assert "does not keep the cookie" in shown.text


async def test_a_session_is_new_at_every_sign_in(front: Front) -> None:
    """Fixation: whatever cookie a browser had before, nobody else knows the one that it gets."""
    browser = front.browser()
    browser.cookies.set(COOKIE, "of-an-attacker", domain="127.0.0.1")
    await browser.sign_in()
    first = (await browser.get("/")).json()["session"]
    await browser.sign_in()
    second = (await browser.get("/")).json()["session"]
    assert len({first, second}) == 2


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "///evil.example",
        r"/\evil.example",
        r"\\evil.example",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "https:evil.example",
        "https://evil.example/",
        "http:///evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "\n//evil.example",
        "/cases/1\r\nLocation: https://evil.example",
        "/.//evil.example",
        "/cases/..//evil.example",
        "evil.example",
        "@evil.example",
        "/nothing-is-here",
        "/auth/start",
        "/auth/sign-out",
        "/decide",
        "/cases/" + "1" * 2_000,
    ],
)
async def test_nobody_is_sent_elsewhere_after_signing_in(front: Front, target: str) -> None:
    """Only pages of ours; what is none leads to the inbox."""
    query = httpx.QueryParams({"next": target})
    browser = front.browser()
    if len(target) > 1_000:
        assert (await browser.get(f"/auth/start?{query}")).status_code == 400
        return
    assert leads_to(await browser.sign_in(f"/auth/start?{query}")) == "/?sign-in=done"
    signed_in = await browser.get(f"/sign-in?{query}")
    assert signed_in.headers["location"] == "/"


async def test_an_answer_counts_once_in_the_browser_that_asked(front: Front) -> None:
    """A code that somebody else got, or that was used, signs nobody in."""
    victim, attacker = front.browser(), front.browser()
    asked = await attacker.begin()
    forced = await victim.finish(asked["state"], asked["nonce"])
    assert forced.status_code == 403
    assert "belongs to no sign-in of this browser" in forced.text
    assert COOKIE not in victim.cookies

    assert (await attacker.finish(asked["state"], asked["nonce"])).status_code == 200
    assert (await attacker.finish(asked["state"], asked["nonce"])).status_code == 403


async def test_state_and_nonce_are_of_one_sign_in(front: Front) -> None:
    """Two tabs may sign in at once; the answer to one is not taken for the other."""
    browser = front.browser()
    one, two = await browser.begin(), await browser.begin()
    mixed = await browser.finish(one["state"], two["nonce"])
    assert (mixed.status_code, COOKIE in browser.cookies) == (403, False)
    assert (await browser.finish(two["state"], two["nonce"])).status_code == 200


async def test_a_sign_in_takes_ten_minutes_at_most(front: Front) -> None:
    """After that it begins again."""
    browser = front.browser()
    asked = await browser.begin()
    front.clock.now += minutes(10)
    assert (await browser.finish(asked["state"], asked["nonce"])).status_code == 403


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("error=access_denied&error_description=%3Cb%3Eno", "access_denied &lt;b&gt;no"),
        ("code=x&iss=https://evil.example", "of another provider"),
        ("", "refuses"),
    ],
    ids=["denied", "issuer", "nothing"],
)
async def test_what_the_provider_refuses(front: Front, query: str, text: str) -> None:
    """It is said, escaped, with a way to try again."""
    browser = front.browser()
    asked = await browser.begin("/auth/start?next=/cases/1")
    response = await browser.get(f"/auth/callback?state={asked['state']}&{query}")
    assert response.status_code == 403
    assert text in response.text
    assert 'href="/auth/start?next=%2Fcases%2F1"' in response.text


async def test_a_provider_that_is_down_is_said_to_be(provider: LocalProvider) -> None:
    """The page says so; nobody is let in."""
    provider.is_down = True
    async with opened(provider_settings(provider)) as front:
        response = await front.browser().get("/auth/start")
    assert response.status_code == 503
    assert "answers 503" in response.text


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        ({"groups": None}, "The claim did not come"),
        ({"groups": ["strangers"]}, "none of its values is in CLAWBACK_IDENTITY_VIEWERS"),
        ({"groups": None, "_claim_names": {"groups": "src1"}}, "more than 200"),
    ],
    ids=["missing", "unknown", "overage"],
)
async def test_somebody_without_a_role_learns_why(
    front: Front, provider: LocalProvider, claims: dict[str, Any], text: str
) -> None:
    """Which claim gives roles, and which came; there is no default role and no session."""
    browser = front.browser()
    asked = await browser.begin()
    answer = {"id_token": provider.token(nonce=asked["nonce"], **claims)}
    provider.answers = [(200, answer)]
    response = await browser.finish(asked["state"], asked["nonce"])
    assert response.status_code == 403
    assert text in response.text
    assert "<code>groups</code>" in response.text
    assert "<code>email</code>" in response.text
    assert COOKIE not in browser.cookies


async def test_a_session_ends_after_half_an_hour_without_a_click(front: Front) -> None:
    """What an open page reads by itself is no click."""
    browser = front.browser()
    await browser.sign_in()
    front.clock.now += IDLE - minutes(1)
    assert (await browser.get("/")).status_code == 200
    front.clock.now += IDLE - minutes(1)
    assert (await browser.get("/", hx_request="true")).status_code == 200
    front.clock.now += minutes(1)
    assert (await browser.get("/", hx_request="true")).status_code == 401
    assert leads_to(await browser.get("/")) == "/?sign-in=again"


async def test_a_session_ends_after_eight_hours(front: Front) -> None:
    """However busy somebody is."""
    browser = front.browser()
    await browser.sign_in()
    end = front.clock.now + LONGEST
    while front.clock.now + minutes(20) < end:
        front.clock.now += minutes(20)
        assert (await browser.get("/")).status_code == 200
    front.clock.now = end
    assert "sign-in=again" in (await browser.get("/")).text


async def test_the_cookie_is_renewed_at_most_once_a_minute(front: Front) -> None:
    """And with the same session."""
    browser = front.browser()
    await browser.sign_in()
    assert "set-cookie" not in (await browser.get("/")).headers
    front.clock.now += minutes(1)
    assert "set-cookie" in (await browser.get("/")).headers
    assert "set-cookie" not in (await browser.get("/")).headers


async def test_staying_signed_in(front: Front) -> None:
    """The page can ask for it, with the token of its forms."""
    browser = front.browser()
    await browser.sign_in()
    csrf = await browser.csrf()
    front.clock.now += IDLE - minutes(1)
    assert (await browser.post("/auth/extend")).status_code == 403
    extended = await browser.post("/auth/extend", csrf)
    assert extended.json() == {"seconds": IDLE.total_seconds()}
    front.clock.now += IDLE - minutes(1)
    assert (await browser.get("/")).status_code == 200
    assert (await front.browser().post("/auth/extend", csrf)).status_code == 401


async def test_a_form_needs_the_token_of_its_session(front: Front) -> None:
    """Neither none, nor that of somebody else, nor a page of another site."""
    ana, ben = front.browser(), front.browser()
    await ana.sign_in()
    await ben.sign_in()
    csrf, others = await ana.csrf(), await ben.csrf()
    for wrong in (None, "", "x", others):
        response = await ana.post("/decide", wrong)
        assert response.status_code == 403
        assert "not of your session" in response.text
    assert (await ana.post("/decide", csrf, origin="https://evil.example")).status_code == 403
    assert (await ana.post("/decide", csrf, sec_fetch_site="cross-site")).status_code == 403

    assert (await ana.post("/decide", csrf)).status_code == 200
    assert (await ana.post("/decide", x_clawback_csrf=csrf)).status_code == 200
    assert (await ana.post("/decide", csrf)).status_code == 200, "several tabs have one token"


async def test_a_form_survives_the_end_of_its_session(front: Front) -> None:
    """After signing in again in another tab, it is sent again as it is; by somebody else, not."""
    browser = front.browser()
    await browser.sign_in()
    csrf = await browser.csrf()
    front.clock.now += IDLE
    refused = await browser.post("/decide", csrf, hx_request="true")
    assert refused.status_code == 401
    assert '<a href="/sign-in" target="_blank"' in refused.text
    page = await browser.post("/decide", csrf)
    assert (page.status_code, "send the form again" in page.text) == (401, True)

    await browser.sign_in()
    assert (await browser.post("/decide", csrf)).status_code == 200


async def test_signing_out_ends_the_session_in_every_browser(front: Front) -> None:
    """A copy of the cookie is worth nothing afterwards; a GET signs nobody out."""
    browser, thief = front.browser(), front.browser()
    await browser.sign_in()
    thief.cookies = httpx.Cookies(browser.cookies)
    csrf = await browser.csrf()
    assert (await browser.get("/auth/sign-out")).status_code == 405
    assert (await browser.post("/auth/sign-out")).status_code == 403
    assert (await thief.get("/")).json()["who"] == "ana"

    gone = await browser.post("/auth/sign-out", csrf)
    assert (gone.status_code, gone.headers["location"]) == (303, "/auth/signed-out")
    assert COOKIE not in browser.cookies
    assert "You are signed out" in (await browser.get("/auth/signed-out")).text
    assert leads_to(await thief.get("/")) == "/?sign-in=again"
    assert (await thief.post("/decide", csrf)).status_code == 401


async def test_nobody_is_believed_while_it_is_not_known_who_signed_out(front: Front) -> None:
    """Temporal is down: a revoked session must not come back to life."""
    browser = front.browser()
    await browser.sign_in()
    front.revocations.is_stale = True
    response = await browser.get("/")
    assert response.status_code == 503
    assert "which sessions were signed out" in response.text


async def test_roles_decide(front: Front, provider: LocalProvider) -> None:
    """A viewer decides nothing, and cannot write another role into the cookie."""
    browser = front.browser()
    asked = await browser.begin()
    token = provider.token(nonce=asked["nonce"], groups=["guests"])
    provider.answers = [(200, {"id_token": token})]
    await browser.finish(asked["state"], asked["nonce"])
    csrf = await browser.csrf()
    refused = await browser.post("/decide", csrf)
    assert refused.status_code == 403
    assert "takes the role analyst; ana@corp.example has viewer" in refused.text
    assert (await browser.post("/search", csrf)).status_code == 200

    sealed = browser.cookies[COOKIE]
    for place in range(0, len(sealed), 37):
        other = "A" if sealed[place] != "A" else "B"
        browser.cookies.set(COOKIE, sealed[:place] + other + sealed[place + 1 :], "127.0.0.1")
        assert (await browser.post("/decide", csrf)).status_code == 401


async def test_a_session_of_another_provider_does_not_count(front: Front) -> None:
    """Nor one of this machine, from before there was a provider, however well it is sealed."""
    cookie = SessionCookie(console_secrets(RING), is_secure=False)
    for actor in (person("ana", verified=True), person("root@host")):
        session = Session.begin(actor.identity, front.clock.now)
        browser = front.browser()
        browser.cookies.set(COOKIE, cookie.write(session).split("=", 1)[1].split(";")[0])
        assert leads_to(await browser.get("/")) == "/?sign-in=again"


async def test_some_things_need_a_recent_sign_in(front: Front, provider: LocalProvider) -> None:
    """The provider is asked to ask again; what it says of an older sign-in does not help."""
    browser = front.browser()

    async def sign_in(path: str, ago: float | None) -> httpx.Response:
        asked = await browser.begin(path)
        time = None if ago is None else front.clock.now.timestamp() - 60 * ago
        token = provider.token(auth_time=time, groups=["leads"], nonce=asked["nonce"])
        provider.answers = [(200, {"id_token": token})]
        assert (asked.get("prompt"), asked.get("max_age")) == (
            ("login", "0") if "fresh" in path else (None, None)
        )
        return await browser.finish(asked["state"], asked["nonce"])

    for ago in (None, 16):
        await sign_in("/auth/start", ago)
        refused = await browser.post("/resume", await browser.csrf())
        assert refused.status_code == 403
        assert "of the last 15 minutes" in refused.text
        assert 'href="/sign-in?fresh=1"' in refused.text
    page = await browser.get("/sign-in?fresh=1&next=/cases/1")
    assert 'href="/auth/start?fresh=1&amp;next=%2Fcases%2F1"' in page.text

    stale = await sign_in("/auth/start?fresh=1", 16)
    assert "did not ask you to sign in again" in stale.text
    for ago in (None, 1):
        await sign_in("/auth/start?fresh=1", ago)
        assert (await browser.post("/resume", await browser.csrf())).status_code == 200
    front.clock.now += minutes(16)
    assert (await browser.post("/resume", await browser.csrf())).status_code == 403


async def test_cookie_and_token_are_never_mixed(front: Front) -> None:
    """With `Authorization` the cookie is ignored, and pages take no token at all."""
    browser = front.browser()
    await browser.sign_in()
    csrf = await browser.csrf()
    assert (await browser.get("/api/v1/me")).json() == {"who": "ana"}
    assert (await browser.post("/api/v1/me", x_clawback_csrf=csrf)).status_code == 200
    assert problem_of(await browser.post("/api/v1/me"))["status"] == 403
    assert (await front.browser().get("/api/v1/me")).json() == {"who": None}
    for authorization in ("Bearer x", "Bearer", "Basic eDp5", ""):
        refused = await browser.get("/api/v1/me", authorization=authorization)
        assert problem_of(refused)["status"] == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert (await browser.get("/", authorization=authorization)).status_code == 401


async def test_signing_in_is_limited_by_address(front: Front) -> None:
    """Ten a minute; then the answer says when to come back."""
    for _ in range(10):
        await front.browser().begin()
    response = await front.browser().get("/auth/start")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "6"
    assert (await front.browser().get("/sign-in")).status_code == 200


async def test_decisions_and_searches_are_limited_by_person(front: Front) -> None:
    """Sixty a minute each, whatever browser they come from."""
    one, two = front.browser(), front.browser()
    await one.sign_in()
    await two.sign_in()
    tokens = {browser: await browser.csrf() for browser in (one, two)}
    for browser in islice(cycle(tokens), 60):
        assert (await browser.post("/decide", tokens[browser])).status_code == 200
    response = await two.post("/decide", tokens[two])
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert (await one.post("/search", tokens[one])).status_code == 200
    front.clock.now += minutes(1 / 60)
    assert (await two.post("/decide", tokens[two])).status_code == 200


async def test_an_explanation_or_backtest_runs_alone(front: Front) -> None:
    """For one person; whoever waits for it can do everything else."""
    browser = front.browser()
    await browser.sign_in()
    running = asyncio.create_task(browser.get("/explain"))

    async def is_refused() -> bool | None:
        return (await browser.get("/explain-now")).status_code == 429 or None

    await eventually(is_refused)
    assert (await browser.get("/")).status_code == 200
    front.release.set()
    assert (await running).status_code == 200
    assert (await browser.get("/explain-now")).status_code == 200


async def test_behind_a_proxy_cookies_need_https(provider: LocalProvider) -> None:
    """The prefixes keep other hosts of the domain, and plain http, from setting them."""
    settings = provider_settings(provider, console_url="https://claw.example")
    async with opened(settings) as front:
        browser = front.browser()
        assert (await browser.get("/")).status_code == 421
        start = await browser.get("/auth/start", host="claw.example")
        asked = dict(parse_qsl(urlsplit(start.headers["location"]).query))
        assert asked["redirect_uri"] == "https://claw.example/auth/callback"
        cookie = start.headers["set-cookie"]
        assert cookie.startswith("__Secure-clawback-sign-in-")
        assert cookie.endswith("Path=/auth; HttpOnly; SameSite=Lax; Secure")

        answer = f"/auth/callback?state={asked['state']}&code={asked['nonce']}"
        headers = {"host": "claw.example", "cookie": cookie.partition(";")[0]}
        back = await browser.get(answer, **headers)
        given = [one for one in back.headers.get_list("set-cookie") if "Max-Age=0" not in one]
        assert [one.partition("=")[0] for one in given] == ["__Host-clawback"]
        assert given[0].endswith("Path=/; HttpOnly; SameSite=Strict; Secure")


async def test_behind_a_proxy_addresses_are_what_it_saw(provider: LocalProvider) -> None:
    """What a client says of itself stands before that, and does not help it."""
    settings = provider_settings(provider, console_url="https://claw.example")
    async with opened(settings) as front:

        async def start(forwarded: str) -> int:
            headers = {"host": "claw.example", "x_forwarded_for": forwarded}
            return (await front.browser().get("/auth/start", **headers)).status_code

        for number in range(10):
            assert await start(f"198.51.100.{number}, 203.0.113.7") == 303
        assert await start("198.51.100.99, 203.0.113.7") == 429
        assert await start("203.0.113.8") == 303


async def test_whoever_only_looks_uses_nothing_up(front: Front) -> None:
    """Scanners of links ask with HEAD first."""
    browser = front.browser()
    asked = await browser.begin()
    url = f"{front.url}/auth/callback?state={asked['state']}&code={asked['nonce']}"
    async with httpx.AsyncClient(cookies=browser.cookies) as http:
        assert (await http.head(url)).status_code == 200
    assert (await browser.finish(asked["state"], asked["nonce"])).status_code == 200


async def test_many_begun_sign_ins_do_not_fill_the_cookies(front: Front) -> None:
    """A page of another site could begin them."""
    browser = front.browser()
    for _ in range(9):
        await browser.begin()
    begun = [cookie for cookie in browser.cookies.jar if "sign-in" in cookie.name]
    assert 1 <= len(begun) <= 5
    assert (await browser.sign_in()).status_code == 200


async def open_stream(browser: Browser) -> tuple[httpx.AsyncClient, httpx.Response]:
    """Open an event stream, and read nothing of it."""
    http = httpx.AsyncClient(cookies=browser.cookies, timeout=60)
    request = http.build_request("GET", f"{browser.url}/events")
    return http, await http.send(request, stream=True)


async def test_a_session_has_two_event_streams(front: Front) -> None:
    """A third is refused until one ends; it ends when the browser leaves."""
    browser = front.browser()
    await browser.sign_in()
    streams = [await open_stream(browser) for _ in range(3)]
    assert [response.status_code for _, response in streams] == [200, 200, 429]
    for http, _ in streams:
        await http.aclose()

    front.release.set()
    http, again = await open_stream(browser)
    assert again.status_code == 200
    await http.aclose()


async def test_the_pages_have_the_security_headers(front: Front) -> None:
    """Also what is refused before anybody looks at who asks."""
    for response in (
        await front.browser().get("/"),
        await front.browser().get("/", host="evil.example"),
        await front.browser().get("/sign-in"),
    ):
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert response.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]*nonce=)", response.text)


async def test_a_role_is_enough_or_it_is_not(front: Front) -> None:
    """An analyst is no operator."""
    browser = front.browser()
    await browser.sign_in()
    response = await browser.post("/resume", await browser.csrf())
    assert f"takes the role {Role.OPERATOR}" in response.text
