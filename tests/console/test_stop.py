"""The kill switch as people meet it in a browser: stop, not confirmed, resume, roles, phone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from temporalio.client import Client

from clawback.cases import CaseState
from clawback.console.sources.containment_state import ContainmentState
from clawback.guard import GuardSnapshot
from clawback.model.identity import Role
from clawback.settings import Settings
from clawback.simulator import outbreak
from clawback.temporal.guard_gateway import GuardGateway
from tests.cli.test_case import HELD
from tests.console.console_site import ConsoleSite, accessibility_problems, running_console
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated

HOSTILE = 'night <b>shift</b> "x" https://evil.test \u202e'


@dataclass
class Installation:
    """A console, and the workers behind it."""

    site: ConsoleSite
    deployment: Deployment


@pytest.fixture
async def installation(temporal: Client, tmp_path: Path) -> AsyncIterator[Installation]:
    """A console over workers and one held case."""
    mail = list(outbreak(2, 1, sender="s1@bad.test"))
    async with deployed(temporal, simulated(mail), tmp_path) as deployment:
        await deployment.signal_case(HELD, *map(match_of, mail))
        await deployment.settled(HELD.case_id, CaseState.HELD)
        async with running_console(temporal, Settings()) as site:
            await eventually(lambda: knows(site, stopped=False))
            yield Installation(site, deployment)


async def knows(site: ConsoleSite, *, stopped: bool) -> bool | None:
    state: ContainmentState = site.services.containment
    return state.is_stopped is stopped or None


async def test_stop_is_said_only_once_no_worker_can_act(
    installation: Installation, browser: Browser
) -> None:
    """The page after the button says "stopped", by whom and why; the guard says so too."""
    site = installation.site
    page = await site.open(browser, "/stop", java_script_enabled=False)
    assert await page.locator(".switch-running").count() == 1
    await page.fill("#reason", HOSTILE)
    await page.click("button.danger")

    shown = await page.inner_text("#switch")
    assert "Containment is stopped" in shown
    assert "by ana" in shown
    assert "<b>shift</b>" in shown
    assert "evil[.]test" in shown
    assert "⟨U+202E⟩" in shown
    assert await installation.deployment.keeper.is_stopped()
    assert not await installation.deployment.switch()


async def test_resume_lists_what_will_happen_and_needs_a_reason(
    installation: Installation, browser: Browser
) -> None:
    """An operator resumes; without a reason nothing is sent."""
    site = installation.site
    page = await site.open(browser, "/stop")
    await page.fill("#reason", "quarantines newsletters")
    await page.click("button.danger")
    await page.wait_for_selector(".switch-stopped")

    assert "1 held case stays held" in await page.inner_text("main")
    await page.click("button:has-text('Resume containment')")
    assert await installation.deployment.keeper.is_stopped()

    assert await accessibility_problems(page) == []
    await page.fill("#reason", "the rule is corrected")
    await page.click("button:has-text('Resume containment')")
    await page.wait_for_selector(".switch-running")
    assert not await installation.deployment.keeper.is_stopped()
    assert site.said == []


async def test_an_unconfirmed_stop_is_never_called_stopped(
    temporal: Client, browser: Browser
) -> None:
    """No worker answers: the page says to treat it as running, in red, and changes by itself."""
    await GuardGateway(temporal).start(GuardSnapshot())
    async with running_console(temporal, Settings()) as site:
        await eventually(lambda: knows(site, stopped=False))
        page = await site.open(browser, "/stop")
        await page.fill("#reason", "now")
        await page.click("button.danger")
        await page.wait_for_url("**/stop?asked=1", timeout=15_000)

        assert "Not confirmed yet. Treat it as running." in await page.inner_text("#switch")
        assert await page.locator(".switch-stopped, .good-text").count() == 0
        assert await page.locator("[role=alert]").count() == 1
        assert await accessibility_problems(page) == []

        # Whoever terminates the guard stops containment: the same region says so.
        await temporal.get_workflow_handle("guard").terminate()
        await expect(page.locator(".switch-stopped")).to_be_visible(timeout=15_000)
        assert site.said == []


async def test_an_old_sign_in_does_not_resume(installation: Installation, browser: Browser) -> None:
    """The form is not there, and a request without it is refused."""
    site = installation.site
    page = await site.open(browser, "/stop")
    await page.fill("#reason", "now")
    await page.click("button.danger")
    await page.wait_for_selector(".switch-stopped")

    early = site.services.now
    site.services.now = lambda: early() + timedelta(minutes=16)
    await page.reload()
    assert "sign-in of the last 15 minutes" in await page.inner_text("main")
    answer = await page.request.post("/resume", form={"reason": "x", "csrf": "csrf-of-a-test"})
    assert answer.status == 403
    assert await installation.deployment.keeper.is_stopped()


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 404), (Role.ANALYST, 200)])
async def test_who_may_see_the_switch(
    installation: Installation, browser: Browser, role: Role, status: int
) -> None:
    """A viewer does not; an analyst stops, and cannot resume."""
    site = installation.site
    site.gate.role = role
    page = await site.open(browser, "/keys")
    assert (await page.request.get("/stop")).status == status
    answer = await page.request.post("/resume", form={"reason": "x", "csrf": "csrf-of-a-test"})
    assert answer.status == 404


async def test_stopping_without_a_reason_is_an_error(
    installation: Installation, browser: Browser
) -> None:
    """The error names the field."""
    page = await installation.site.open(browser, "/keys")
    answer = await page.request.post("/stop", form={"reason": " ", "csrf": "csrf-of-a-test"})
    assert answer.status == 400
    assert "reason: say why you stop" in await answer.text()
    assert not await installation.deployment.keeper.is_stopped()


async def test_the_switch_fits_a_phone(installation: Installation, browser: Browser) -> None:
    """Nothing scrolls sideways at 360 px, and axe has nothing to say in either theme."""
    for theme in ("light", "dark"):
        page = await installation.site.open(browser, "/stop", phone=True, color_scheme=theme)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        assert await accessibility_problems(page) == []
    assert installation.site.said == []
