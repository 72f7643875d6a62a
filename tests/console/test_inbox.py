"""The inbox as an analyst meets it, in a real browser, over a real server with real cases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from temporalio.client import Client

from clawback.cases import CaseState
from clawback.cases.notes import AssignTo
from clawback.model.identity import Actor
from clawback.settings import Settings
from clawback.simulator import outbreak
from tests.cli.test_case import ACTED, HELD
from tests.console.console_site import ConsoleSite, accessibility_problems, running_console
from tests.waiting import eventually
from tests.workflows.deployment import deployed, match_of
from tests.workflows.test_case import simulated


@pytest.fixture
async def site(temporal: Client, tmp_path: Path) -> AsyncIterator[ConsoleSite]:
    """A console over a held case and one that acted."""
    mail = [list(outbreak(2, seed, sender=f"s{seed}@bad.test")) for seed in range(2)]
    lines = [line for each in mail for line in each]
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(ACTED, *map(match_of, mail[0]))
        await deployment.signal_case(HELD, *map(match_of, mail[1]))
        await deployment.settled(ACTED.case_id)
        await deployment.settled(HELD.case_id, CaseState.HELD)
        async with running_console(temporal, Settings()) as site:
            await eventually(lambda: _knows_held(site))
            yield site


async def _knows_held(site: ConsoleSite) -> bool | None:
    case = site.services.read_model.find(HELD.case_id)
    return (case is not None and case.state == CaseState.HELD) or None


async def test_held_cases_come_first_with_what_they_would_do(
    site: ConsoleSite, browser: Browser
) -> None:
    """The row has sender, counts and action; only held cases are in the inbox."""
    page = await site.open(browser)
    rows = page.locator("[data-row]")
    assert await rows.count() == 1
    text = await rows.first.inner_text()
    assert "s1@bad[.]test" in text
    assert "2 in 2" in text
    assert "JunkEmail" in text
    assert await accessibility_problems(page) == []
    assert site.said == []


async def test_the_inbox_stacks_on_a_phone(site: ConsoleSite, browser: Browser) -> None:
    """Nothing scrolls sideways at 360 px, and axe has nothing to say."""
    page = await site.open(browser, "/?state=all", phone=True, color_scheme="dark")
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    assert await accessibility_problems(page) == []
    assert site.said == []


async def test_an_address_is_found_and_stays_out_of_the_url(
    site: ConsoleSite, browser: Browser
) -> None:
    """The search box leads to a URL with a keyed hash, without JavaScript as well."""
    for has_script in (True, False):
        page = await site.open(browser, java_script_enabled=has_script)
        await page.fill("#search", "s0@bad.test")
        await page.press("#search", "Enter")
        await page.wait_for_url("**/?*touching=*")
        assert "bad" not in page.url
        assert await page.locator("[data-row]").count() == 1
        assert "s0@bad[.]test" in await page.locator("[data-row]").inner_text()


async def test_an_unknown_filter_is_an_error_that_names_it(
    site: ConsoleSite, browser: Browser
) -> None:
    """A filter that nobody knows must not look like a list without matches."""
    page = await site.open(browser, "/?levle=high")
    assert "did you mean `level`" in await page.inner_text("main")


async def test_keys_move_through_the_list(site: ConsoleSite, browser: Browser) -> None:
    """`j` focuses a row, `x` selects it, `?` shows the keys; with letters off nothing happens."""
    page = await site.open(browser)
    await page.keyboard.press("j")
    assert await page.evaluate("document.activeElement.closest('[data-row]') !== null")
    await page.keyboard.press("x")
    assert await page.locator("input[name=case]").is_checked()
    await page.keyboard.press("?")
    assert await page.locator("#help").is_visible()


async def test_a_short_id_leads_to_the_case(site: ConsoleSite, browser: Browser) -> None:
    """Six digits are enough; digits of no case are a page that says so."""
    page = await site.open(browser, "/c/000000")
    assert "No case starts with 000000" in await page.inner_text("main")


async def test_a_change_elsewhere_is_announced(site: ConsoleSite, browser: Browser) -> None:
    """An open page hears of it and says so; no row moves by itself."""
    page = await site.open(browser)
    async with page.expect_request("**/events?topic=list"):
        await page.reload()
    await page.locator("#connection", has_text="live").wait_for()
    site.services.changes.announce("list")
    await page.locator("#news").wait_for()
    assert await page.locator("[data-row]").count() == 1


async def test_my_cases_are_those_assigned_to_me(site: ConsoleSite, browser: Browser) -> None:
    """The filter goes by the identity, not by a name that two people may share."""
    page = await site.open(browser, "/?assignee=me")
    assert await page.locator("[data-row]").count() == 0
    me = Actor(identity=site.gate.identity)
    await site.services.cases.assign(HELD.case_id, me, AssignTo(is_self=True))
    await eventually(lambda: _is_assigned(site))
    await page.reload()
    assert await page.locator("[data-row]").count() == 1


async def _is_assigned(site: ConsoleSite) -> bool | None:
    case = site.services.read_model.find(HELD.case_id)
    return (case is not None and bool(case.assignee_id)) or None
