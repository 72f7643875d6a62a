"""A console behind Cloudflare Access: the assertion in each request says who sends it."""

import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from clawback.identity.access_list import RevokedPerson
from tests.console.access.front import Front, minutes, opened
from tests.identity.providers import LocalProvider, local_provider
from tests.identity.test_access import AUDIENCE, assertion, settings_of

COOKIE = "clawback-console"


@pytest.fixture
def team() -> Iterator[LocalProvider]:
    """A team of Access whose keys this machine publishes."""
    with local_provider() as found:
        yield found


@pytest.fixture
async def front(team: LocalProvider) -> AsyncIterator[Front]:
    """A console behind it."""
    async with opened(settings_of(team)) as found:
        yield found


def headers(team: LocalProvider, **claims: Any) -> dict[str, str]:
    """What Access adds to a request."""
    return {"cf_access_jwt_assertion": assertion(team, **claims)}


async def test_the_assertion_of_each_request_counts(front: Front, team: LocalProvider) -> None:
    """Without one nobody is signed in, whatever cookie there is; another person is another."""
    browser = front.browser()
    first = (await browser.get("/", **headers(team))).json()
    assert (first["who"], first["via"], first["roles"]) == ("7335d417", "access", ["operator"])
    again = (await browser.get("/", **headers(team))).json()
    assert again["session"] == first["session"]

    assert "sign-in=again" in (await browser.get("/")).text
    start = await browser.get("/?sign-in=again")
    assert start.headers["location"] == "/sign-in"
    assert "behind Cloudflare Access" in (await browser.get("/sign-in")).text

    other = (await browser.get("/", **headers(team, sub="another"))).json()
    assert (other["who"], other["session"] != first["session"]) == ("another", True)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["another application"]},
        {"iss": "https://another.cloudflareaccess.com"},
        {"exp": int(time.time()) - 3600},
        {"sub": "", "common_name": "service"},
        {"type": "org"},
    ],
    ids=["audience", "issuer", "expired", "service", "org"],
)
async def test_an_assertion_for_something_else_lets_nobody_in(
    front: Front, team: LocalProvider, claims: dict[str, Any]
) -> None:
    """A service token is no person; and a good cookie does not help a bad assertion."""
    browser = front.browser()
    csrf = (await browser.get("/", **headers(team))).json()["csrf"]
    for method in (browser.get("/", **headers(team, **claims)),):
        response = await method
        assert response.status_code == 401
        assert "assertion of Cloudflare Access is refused" in response.text
    posted = await browser.post("/decide", csrf, **headers(team, **claims))
    assert posted.status_code == 401


async def test_forms_need_their_token_behind_access_too(front: Front, team: LocalProvider) -> None:
    """The cookie of Access is sent with the requests of other pages, and ours is strict."""
    browser, other = front.browser(), front.browser()
    csrf = (await browser.get("/", **headers(team))).json()["csrf"]
    others = (await other.get("/", **headers(team, sub="another"))).json()["csrf"]
    for wrong in (None, others):
        refused = await browser.post("/decide", wrong, **headers(team))
        assert refused.status_code == 403
    assert (await browser.post("/decide", csrf, **headers(team))).status_code == 200


async def test_a_session_never_outlives_its_assertion(front: Front, team: LocalProvider) -> None:
    """The next assertion begins another one, in which open forms still count."""
    browser = front.browser()
    first = (await browser.get("/", **headers(team, exp=int(time.time()) + 120))).json()
    front.clock.now += minutes(3)
    second = (await browser.get("/", **headers(team))).json()
    assert second["session"] != first["session"]
    assert (await browser.post("/decide", first["csrf"], **headers(team))).status_code == 200


async def test_an_assertion_from_before_a_revocation_counts_no_more(
    front: Front, team: LocalProvider
) -> None:
    """Whoever signs in at Access again gets a new one."""
    now = int(time.time())
    at = datetime.fromtimestamp(now - 90, UTC)
    front.revocations.people.append(RevokedPerson(who="7335d417", at=at))
    refused = await front.browser().get("/", **headers(team, iat=now - 120))
    assert refused.status_code == 401
    assert "An operator ended your sessions" in refused.text
    assert (await front.browser().get("/", **headers(team, iat=now))).status_code == 200


async def test_somebody_without_a_role_is_told(front: Front, team: LocalProvider) -> None:
    """By the claim that is missing."""
    response = await front.browser().get("/", **headers(team, custom={"groups": ["x"]}))
    assert response.status_code == 403
    assert "<code>custom.groups</code>" in response.text
    assert "none of its values" in response.text


async def test_without_the_keys_of_the_team_nobody_is_believed(team: LocalProvider) -> None:
    """The page says that it is not their fault."""
    team.is_down = True
    async with opened(settings_of(team)) as front:
        response = await front.browser().get("/", **headers(team))
    assert response.status_code == 503
    assert "Cloudflare Access cannot be asked" in response.text


async def test_signing_out_leads_to_access(front: Front, team: LocalProvider) -> None:
    """Only Access can end what it vouches for."""
    browser = front.browser()
    csrf = (await browser.get("/", **headers(team))).json()["csrf"]
    gone = await browser.post("/auth/sign-out", csrf, **headers(team))
    shown = await browser.get(gone.headers["location"], **headers(team))
    assert 'href="/cdn-cgi/access/logout"' in shown.text
    assert AUDIENCE not in shown.text


async def test_there_is_no_other_way_in(front: Front) -> None:
    """Neither a link nor a provider."""
    browser = front.browser()
    assert (await browser.get("/auth/local?link=x")).status_code == 404
    assert (await browser.get("/auth/start")).headers["location"] == "/sign-in"
    assert (await browser.get("/auth/callback?state=x&code=x")).status_code == 403
