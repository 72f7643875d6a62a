"""Operations and blocks as an operator meets them, over real pollers, a real guard, real blocks."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser
from temporalio.client import Client

from clawback.guard import Demotion
from clawback.model.events import EventKind
from clawback.model.identity import Role
from clawback.settings import Settings
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.access_gateway import AccessGateway
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway
from clawback.temporal.guard_gateway import GuardGateway
from tests.console.console_site import ConsoleSite, accessibility_problems, running_console
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_blocks import blocked
from tests.workflows.test_case import simulated

HOSTILE = '<img src=x onerror="alert(1)"> \u202e https://evil.test'


@dataclass
class Installation:
    """A console, the workers behind it, and a block that one of their cases made."""

    site: ConsoleSite
    deployment: Deployment
    block: ActiveBlock


@pytest.fixture
async def installation(temporal: Client, tmp_path: Path) -> AsyncIterator[Installation]:
    """Workers that poll one source, made a block, and had a rule demoted."""
    async with deployed(temporal, simulated(list(outbreak(1))), tmp_path) as deployment:
        await deployment.poll(EventKind.MESSAGE)
        block = await blocked(deployment)
        await demote(deployment, "bad_rule")
        settings = Settings(api_url=deployment.settings.api_url, state=tmp_path)
        async with running_console(temporal, settings) as site:
            yield Installation(site, deployment, block)


async def demote(deployment: Deployment, rule: str) -> None:
    """Tell the guard that somebody took back the work of a rule."""
    guard = deployment.client.get_workflow_handle(names.GUARD_ID)
    at = (await deployment.pollers.status(EventKind.MESSAGE)).cursor
    demotion = Demotion(actor=person("ben"), at=at, reason=HOSTILE, undone=3)
    await guard.signal(names.WORK_UNDONE, args=[rule, demotion])

    async def is_demoted() -> bool | None:
        snapshot = await GuardGateway(deployment.client).status()
        return (snapshot is not None and rule in snapshot.demoted) or None

    await eventually(is_demoted)


async def test_operations_say_what_is_read_and_what_waits(
    installation: Installation, browser: Browser
) -> None:
    """Pollers with their lag, queues with their pollers, the build, and who was demoted why."""
    site = installation.site
    page = await site.open(browser, "/ops", java_script_enabled=False)
    text = await page.inner_text("main")
    assert "message" in text
    assert "clawback-contain" in text
    assert "current" in text
    assert "bad_rule" in text
    assert "<img src=x onerror" in text
    assert "evil[.]test" in text
    assert "⟨U+202E⟩" in text
    assert "No worker answers at" in text
    assert "within four seconds" not in text


async def test_a_paused_poller_is_a_problem(installation: Installation, browser: Browser) -> None:
    """Quiet must never look like health: the page opens with it."""
    site = installation.site
    await installation.deployment.pollers.pause(EventKind.MESSAGE, person("ana"), HOSTILE)
    page = await site.open(browser, "/ops")
    assert "Polling of message is paused" in await page.inner_text(".error")
    assert await accessibility_problems(page) == []
    assert site.said == []


async def test_without_workers_the_page_says_what_it_does_not_know(
    temporal: Client, browser: Browser, tmp_path: Path
) -> None:
    """Nothing has ever run here: no table pretends to be in order."""
    async with running_console(temporal, Settings(state=tmp_path)) as site:
        page = await site.open(browser, "/ops")
        text = await page.inner_text("main")
        assert "No poller has ever run here" in text
        assert "no worker asks for work" in text
        assert site.said == []


async def test_pages_of_operations_fit_a_phone(
    installation: Installation, browser: Browser
) -> None:
    """At 360 px nothing scrolls sideways; axe has nothing to say in either theme."""
    site = installation.site
    block = f"/ops/blocks/{installation.block.id}"
    for path in ("/ops", "/ops/blocks", "/ops/channels", "/ops/sessions", block):
        for theme in ("light", "dark"):
            page = await site.open(browser, path, phone=True, color_scheme=theme)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
            assert await accessibility_problems(page) == [], path
    assert site.said == []


async def test_the_doctor_runs_on_request(installation: Installation, browser: Browser) -> None:
    """Findings come with remedies, problems first."""
    page = await installation.site.open(browser, "/ops")
    # It runs in a process of its own, which takes long to start on a busy machine.
    await page.click("text=Run the doctor", timeout=90_000)
    await page.wait_for_selector("h1:has-text('Doctor')", timeout=90_000)
    assert "settings" in await page.inner_text("main")
    assert await accessibility_problems(page) == []


async def test_a_block_is_extended_and_lifted(installation: Installation, browser: Browser) -> None:
    """The page shows the new end and the claim of the person at once; lifted, it says so."""
    site, block = installation.site, installation.block
    page = await site.open(browser, "/ops/blocks", java_script_enabled=False)
    assert "ours" in await page.inner_text("tbody")
    await page.click(f"text={block.block.pattern.replace('.', '[.]')}")
    await page.fill("#for", "30d")
    await page.fill("#extend-reason", "still sends")
    await page.click("text=Extend the block")

    text = await page.inner_text("main")
    assert "ana until" in text
    longer = await BlockGateway(installation.deployment.client).read(block.id)
    assert (longer.expires_at - block.expires_at).days == 30

    await page.click("summary:has-text('Lift the block')")
    await page.fill("#lift-reason", "their own mail")
    await page.click("button:has-text('Lift the block')")
    text = await page.inner_text("main")
    assert "It was removed." in text
    assert "ended at" in text


async def test_the_sessions_of_a_person_are_ended(
    installation: Installation, browser: Browser
) -> None:
    """All processes learn of it; the page says whose, who did it and why."""
    page = await installation.site.open(browser, "/ops/sessions", java_script_enabled=False)
    await page.fill("#who", "Eve@corp.example")
    await page.fill("#reason", HOSTILE)
    await page.click("text=End their sessions")
    row = await page.inner_text("tbody tr")
    assert "eve@corp.example" in row
    assert "<img src=x onerror" in row
    view = await AccessGateway(installation.deployment.client).look()
    assert view is not None
    assert [one.who for one in view.snapshot.people] == ["eve@corp.example"]


async def test_only_operators_change_blocks(installation: Installation, browser: Browser) -> None:
    """Others see no form, and a request without it is not found."""
    site, block = installation.site, installation.block
    for role in (Role.VIEWER, Role.ANALYST):
        site.gate.role = role
        page = await site.open(browser, f"/ops/blocks/{block.id}")
        assert await page.locator("form[action*='/ops/']").count() == 0
        for path in (f"/ops/blocks/{block.id}/lift", f"/ops/blocks/{block.id}/extend"):
            answer = await page.request.post(path, form={"reason": "x", "for": "1d"})
            assert answer.status == 404
        for path in ("/ops/doctor", "/ops/sessions/revoke"):
            assert (await page.request.post(path, form={"csrf": "x"})).status == 404
        assert (await page.request.get("/ops/sessions")).status == 404


async def test_bad_input_is_named(installation: Installation, browser: Browser) -> None:
    """An id of no block is not found; the error of a duration names the field and a bound."""
    page = await installation.site.open(browser, "/keys")
    answer = await page.request.get("/ops/blocks/%3Cscript%3E")
    assert answer.status == 404
    assert "<script>" not in (await answer.text()).split("<main")[1].split("</main")[0]

    path = f"/ops/blocks/{installation.block.id}/extend"
    for longer in ("", "soon", "-1d", "9999d"):
        refused = await page.request.post(path, form={"for": longer, "reason": "x"})
        assert refused.status == 400
        assert "for: " in await refused.text()
