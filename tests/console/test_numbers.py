"""The numbers of a period in a browser: each with its formula; the report prints."""

from pathlib import Path

from playwright.async_api import Browser, expect
from temporalio.client import Client

from clawback.model.identity import Role
from clawback.settings import Settings
from clawback.simulator import outbreak
from tests.cli.test_case import ACTED
from tests.console.console_site import accessibility_problems, running_console
from tests.waiting import eventually
from tests.workflows.deployment import deployed, match_of
from tests.workflows.test_case import simulated


async def test_numbers_have_formulas_and_a_report_to_print(
    temporal: Client, browser: Browser, tmp_path: Path
) -> None:
    """One case that acted is in every number, table, chart and in the report."""
    mail = list(outbreak(2, 1))
    async with deployed(temporal, simulated(mail), tmp_path) as deployment:
        await deployment.signal_case(ACTED, *map(match_of, mail))
        await deployment.settled(ACTED.case_id)
        settings = Settings(state=tmp_path, audit=deployment.settings.audit_file)
        async with running_console(temporal, settings) as site:

            async def is_known() -> bool | None:
                case = site.services.read_model.find(ACTED.case_id)
                return (case is not None and bool(case.changed)) or None

            await eventually(is_known)
            page = await site.open(browser, "/numbers")
            text = await page.inner_text("main")
            assert "Cases opened" in text
            assert "those whose last decision denied them" in text
            assert ACTED.rule in text
            await expect(page.locator(".chart canvas")).to_be_visible()
            assert await accessibility_problems(page) == []

            phone = await site.open(browser, "/numbers", phone=True, color_scheme="dark")
            assert await phone.evaluate("document.documentElement.scrollWidth") <= 360
            assert await accessibility_problems(phone) == []

            report = await site.open(browser, "/numbers/report?since=1d", java_script_enabled=False)
            assert "clawback report" in await report.inner_text("h1")
            width = await report.evaluate("getComputedStyle(document.body).maxWidth")
            assert width != "none", "the style of the report is refused"
            assert site.said == []

            site.gate.role = Role.VIEWER
            assert (await page.request.get("/numbers/report")).status == 404
            for since in ("soon", "0d", "9999d"):
                refused = await page.request.get(f"/numbers?since={since}")
                assert refused.status == 400
                assert "since: " in await refused.text()
