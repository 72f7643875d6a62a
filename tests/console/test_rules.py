"""The rules in a browser: list, one rule, confirmation, explanation, backtest."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from temporalio.client import Client

from clawback.guard import Demotion
from clawback.model.identity import Role
from clawback.settings import Settings
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.guard_gateway import GuardGateway
from tests.console.console_site import ConsoleSite, accessibility_problems, running_console
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_case import simulated

NAME = "quarantine_lures"
RULE = """\
title: Lures <b>with</b> markup
name: quarantine_lures
id: 4c1f6f2e-52d1-4a4f-9d0e-6c1f0d9f2a11
status: stable
description: A rule of a test.
author: ana
logsource:
  product: cloudflare
  service: email_security
  category: message
detection:
  lure:
    subject|contains: invoice
  condition: lure
level: high
response:
  mode: enforce
  actions:
    - move:
        destination: JunkEmail
tests:
  - name: an <img src=x onerror=alert(1)> invoice
    event: {subject: Invoice 1}
    expect: match
  - name: something else
    event: {subject: Lunch}
    expect: no match
"""


@dataclass
class Installation:
    """A console over one rule, and the workers behind it. `message` is mail that can be read."""

    site: ConsoleSite
    deployment: Deployment
    message: str
    folder: Path


@pytest.fixture
async def installation(temporal: Client, tmp_path: Path) -> AsyncIterator[Installation]:
    """A console whose folder has one rule."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "quarantine_lures.yml").write_text(RULE)
    (folder / "safety.yml").write_text("")
    mail = list(outbreak(2))
    async with deployed(temporal, simulated(mail), tmp_path) as deployment:
        settings = Settings(
            api_url=deployment.settings.api_url, state=tmp_path, rules=folder, age_limit="off"
        )
        async with running_console(temporal, settings) as site:
            message = mail[0]["message"]["id"]
            yield Installation(site, deployment, message, folder)


async def test_the_list_has_mode_tests_and_coverage(
    installation: Installation, browser: Browser
) -> None:
    """One row for each rule; a filter that nothing fits says so; an unknown one is an error."""
    site = installation.site
    page = await site.open(browser, "/rules", java_script_enabled=False)
    row = await page.inner_text("[data-row]")
    assert NAME in row
    assert "<b>with</b>" in row
    assert "100%" in row

    page = await site.open(browser, "/rules?mode=shadow")
    assert "No rule has this mode" in await page.inner_text("main")
    page = await site.open(browser, "/rules?mode=hard")
    assert "mode: `hard` is none of" in await page.inner_text("main")


async def test_a_rule_shows_its_source_and_tests_as_text(
    installation: Installation, browser: Browser
) -> None:
    """Lines are those of the file, markup in a rule stays text, and the chart is drawn."""
    site = installation.site
    page = await site.open(browser, f"/rules/{NAME}")
    source = await page.locator(".source code").all_inner_texts()
    assert "\n".join(source).rstrip() == RULE.rstrip()
    assert await page.locator(".tok-key").count() > 5
    assert await page.locator("main img").count() == 0
    await page.click("summary:has-text('All tests')")
    assert "<img src=x onerror=alert(1)>" in await page.inner_text("main")
    await expect(page.locator(".chart canvas")).to_be_visible()
    assert await accessibility_problems(page) == []

    rule = (await site.services.rules.read()).find(NAME)
    assert rule is not None
    changed = RULE.replace("level: high", "level: low")
    (installation.folder / "quarantine_lures.yml").write_text(changed)
    await page.goto(f"/rules/{NAME}?since={rule.listed.version}")
    assert await page.locator("tr.removed").all_inner_texts() == ["-\tlevel: high"]
    assert await page.locator("tr.added").all_inner_texts() == ["+\tlevel: low"]
    assert await accessibility_problems(page) == []
    assert site.said == []


async def test_a_broken_rule_leaves_the_last_good_ones(
    installation: Installation, browser: Browser
) -> None:
    """The page says what is wrong, and still shows what was loaded."""
    page = await installation.site.open(browser, "/rules")
    (installation.folder / "quarantine_lures.yml").write_text(RULE.replace("contains", "contians"))
    await page.reload()
    text = await page.inner_text("main")
    assert "quarantine_lures.yml" in text
    assert NAME in await page.inner_text("[data-row]")


async def test_an_unknown_rule_names_the_nearest(
    installation: Installation, browser: Browser
) -> None:
    """Whatever stands in the path is text."""
    page = await installation.site.open(browser, "/rules/quarantine_lure")
    assert NAME in await page.inner_text("main")
    answer = await page.request.get("/rules/%3Cscript%3E")
    assert answer.status == 404
    assert "<script>" not in (await answer.text()).split("<main")[1].split("</main")[0]


async def test_an_operator_confirms_a_demoted_rule(
    installation: Installation, browser: Browser
) -> None:
    """The page says who took back what and why; confirmed, the rule is not demoted any more."""
    site, deployment = installation.site, installation.deployment
    demotion = Demotion(actor=person("ben"), at=datetime.now(UTC), reason="newsletters <i>")
    guard = deployment.client.get_workflow_handle(names.GUARD_ID)
    await guard.signal(names.WORK_UNDONE, args=[NAME, demotion])

    async def is_known() -> bool | None:
        return NAME in site.services.containment.demoted or None

    await eventually(is_known)
    site.gate.role = Role.ANALYST
    page = await site.open(browser, f"/rules/{NAME}", java_script_enabled=False)
    assert await page.locator("form[action$='/confirm']").count() == 0
    refused = await page.request.post(f"/rules/{NAME}/confirm", form={"reason": "x"})
    assert refused.status == 404

    site.gate.role = Role.OPERATOR
    await page.reload()
    text = await page.inner_text("main")
    assert "ben took back 1 outcome" in text
    assert "newsletters <i>" in text
    await page.fill("#reason", "the rule is corrected")
    await page.click("text=Confirm the rule")
    assert "demoted" not in await page.inner_text("h1")
    snapshot = await GuardGateway(deployment.client).status()
    assert snapshot is not None
    assert NAME not in snapshot.demoted


async def test_a_message_is_explained_clause_by_clause(
    installation: Installation, browser: Browser
) -> None:
    """The value of the message stands beside the clause; an unknown id is a plain error."""
    site = installation.site
    page = await site.open(browser, f"/rules/{NAME}", java_script_enabled=False)
    await page.fill("#message", installation.message)
    await page.click("text=Explain >> nth=-1")
    await page.wait_for_selector(".clauses", timeout=60_000)
    assert "subject contains invoice" in await page.inner_text(".clauses")

    await page.fill("#message", "nothing-of-that-id")
    await page.click("button:has-text('Explain')")
    await page.wait_for_selector(".error", timeout=60_000)
    assert "Not explained" in await page.inner_text(".error")


async def test_a_backtest_runs_beside_the_pages(
    installation: Installation, browser: Browser
) -> None:
    """The page follows it to its result; another person's page is not told of one that is not."""
    site = installation.site
    page = await site.open(browser, f"/rules/{NAME}")
    await page.click("text=Start the backtest")
    await page.wait_for_url("**/backtests/*")
    await expect(page.locator("#backtest .facts")).to_contain_text("Matches", timeout=90_000)
    assert await accessibility_problems(page) == []

    lost = await page.request.get("/backtests/0123456789abcdef")
    assert lost.status == 404
    assert "kept for an hour" in await lost.text()
    assert site.said == []


async def test_pages_of_rules_fit_a_phone(installation: Installation, browser: Browser) -> None:
    """Only the source scrolls sideways at 360 px; axe has nothing to say in either theme."""
    site = installation.site
    for path in ("/rules", f"/rules/{NAME}", f"/rules/{NAME}/explain"):
        for theme in ("light", "dark"):
            page = await site.open(browser, path, phone=True, color_scheme=theme)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
            assert await accessibility_problems(page) == [], path
    assert site.said == []


async def test_a_viewer_computes_nothing(installation: Installation, browser: Browser) -> None:
    """Explain and backtest read mail: they take an analyst."""
    site = installation.site
    site.gate.role = Role.VIEWER
    page = await site.open(browser, f"/rules/{NAME}")
    assert await page.locator("form[action*='/rules/']").count() == 0
    assert (await page.request.get(f"/rules/{NAME}/explain")).status == 404
    assert (await page.request.post(f"/rules/{NAME}/backtests", form={})).status == 404
