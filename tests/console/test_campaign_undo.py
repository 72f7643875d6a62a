"""The undo of a campaign that is in several parts, in a browser: one case to people."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from temporalio.client import Client

from clawback.cases import part_index, room
from clawback.settings import Settings
from clawback.temporal import running_parts
from tests.console.case_bench import key_of
from tests.console.console_site import running_console
from tests.waiting import eventually
from tests.workflows.deployment import RULES, deployed, match_of
from tests.workflows.test_case import plan, simulated
from tests.workflows.test_parts import campaign, is_counted_as_one, is_known


async def test_a_campaign_of_several_parts_is_undone_as_one_case(
    temporal: Client, tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its messages are on one page after the other, and one undo takes all of them back."""
    monkeypatch.setattr(room, "STATE_LIMIT", 64 * 1024)
    monkeypatch.setattr(part_index, "PARTS_PER_INDEX", 2)
    monkeypatch.setattr(running_parts, "_FRESH", 0.0)
    lines = campaign(45)
    for line in lines:
        # The undo of malicious mail takes two people.
        line["message"]["final_disposition"] = "SPAM"
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await eventually(lambda: is_known(deployment, 45))
        await eventually(lambda: is_counted_as_one(deployment, 45))
        settings = Settings(rules=RULES, api_url=deployment.settings.api_url)
        async with running_console(temporal, settings) as site:
            page = await site.open(browser, f"/cases/{key_of(plan())}/messages")
            assert "45 messages" in await page.inner_text("h1")
            assert await page.locator("[data-row]").count() == 45

            await page.goto(f"/cases/{key_of(plan())}/undo")
            text = await page.inner_text("main")
            assert "45 changes of 1 case" in text
            await page.get_by_role("button", name="Undo 45 changes").click()
            await page.wait_for_url("**/undo/*")
            done = page.locator("#progress")
            await expect(done).to_contain_text("45 of 45 back", timeout=60_000)
            back = [row for row in deployment.ledger if row.get("destination") == "Inbox"]
            assert len(back) == 45
            assert site.said == []
