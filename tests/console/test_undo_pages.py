"""History and undo in a real browser, with the simulator's ledger as the witness."""

from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page

from clawback.cases import CasePlan, CaseState
from clawback.console.views.mail_text import show_mail_text
from clawback.model.identity import Role
from clawback.model.mode import Mode
from clawback.temporal.undo_gateway import UndoneAction
from tests.console.case_bench import CaseBench, Mail, key_of
from tests.console.console_site import ConsoleSite, accessibility_problems
from tests.waiting import eventually

NASTY = '"><script>alert(1)</script> \u202egnp.exe https://evil.test/x'


@dataclass
class Acted:
    """Two cases that moved messages, and the console that shows them."""

    bench: CaseBench
    plans: list[CasePlan]
    mail: list[Mail]

    @property
    def site(self) -> ConsoleSite:
        """The console."""
        return self.bench.site

    def returned(self) -> int:
        """How many messages went back to the inbox."""
        return self.bench.moves_of(*self.mail).count("Inbox")

    def path(self, number: int = 0) -> str:
        """The dry run of the undo of one case."""
        return f"/cases/{key_of(self.plans[number])}/undo"


@pytest.fixture
async def acted(bench: CaseBench, request: pytest.FixtureRequest) -> Acted:
    """Two cases of two messages each, of two rules; the undo of malicious mail takes two people."""
    mail = [
        bench.new_mail(2, final_disposition="SPAM"),
        bench.new_mail(2, final_disposition="SPAM", subject=getattr(request, "param", "Invoice")),
    ]
    # An undo demotes the rule.
    plans = [bench.new_plan(rule=f"undo{bench.number()}", mode=Mode.ENFORCE) for _ in mail]
    for plan, each in zip(plans, mail, strict=True):
        await bench.open_case(plan, each)
    return Acted(bench, plans, mail)


async def ended(page: Page) -> str:
    """Wait until the page of an undo says by itself that it has ended; return what it says."""
    await page.locator("#progress a.button").wait_for()
    return await page.inner_text("#progress")


async def test_an_undo_is_shown_confirmed_and_followed(acted: Acted, browser: Browser) -> None:
    """From the history to the dry run, one confirmation, and progress without a reload."""
    page = await acted.site.open(browser, f"/history?kind=acted&rule={acted.plans[0].rule}")
    text = await page.inner_text("main")
    assert "move: 2 moved" in text
    assert "yes, 2 changes" in text
    assert await accessibility_problems(page) == []

    await page.get_by_role("link", name="yes, 2 changes").click()
    text = await page.inner_text("main")
    assert "This takes back 2 changes of 1 case; 2 messages return to the inbox." in text
    assert "JunkEmail, verdict SPAM" in text
    assert show_mail_text(acted.mail[0][0]["message"]["subject"]) in text
    assert "held until an operator confirms the rule" in text
    assert await accessibility_problems(page) == []
    assert acted.returned() == 0

    await page.fill("#reason", "clean mail")
    await page.get_by_role("button", name="Undo 2 changes").click()
    await page.wait_for_url("**/undo/*")
    assert "2 of 2 back" in await ended(page)
    assert acted.returned() == 2
    assert await accessibility_problems(page) == []

    record = acted.site.services.undo_record
    await record.refresh()
    assert record.actions == {"move": UndoneAction(action="move", done=2)}

    await acted.bench.listed(CaseState.UNDONE, acted.plans[0])
    await page.goto(f"/history?kind=undone&rule={acted.plans[0].rule}")
    text = await page.inner_text("main")
    assert "undone by ana" in text
    assert "“clean mail”" in text
    assert f"case {acted.plans[0].rule}" in text
    assert await page.locator("[data-row]").count() == 1
    assert acted.site.said == []


async def test_cases_of_different_rules_are_undone_together(acted: Acted, browser: Browser) -> None:
    """By checkboxes, without JavaScript, on a page that is read again by hand."""
    page = await acted.site.open(browser, "/history", java_script_enabled=False)
    for plan in acted.plans:
        await page.check(f"input[name=case][value^='{key_of(plan)}']")
    await page.get_by_role("button", name="Undo selected").click()
    assert "4 changes of 2 cases" in await page.inner_text("main")
    await page.get_by_role("button", name="Undo 4 changes").click()
    assert "/undo/" in page.url

    async def done() -> bool | None:
        await page.reload()
        return "4 of 4 back" in await page.inner_text("main") or None

    await eventually(done)
    assert acted.returned() == 4


async def test_a_plan_that_changed_starts_nothing(acted: Acted, browser: Browser) -> None:
    """The confirmation counts for what was shown, and is bound to it by the digest."""
    page = await acted.site.open(browser, acted.path(), java_script_enabled=False)
    form: dict[str, str | float | bool] = {
        name: await page.get_attribute(f"form.panel input[name={name}]", "value") or ""
        for name in ("csrf", "key", "case")
    }
    answer = await page.request.post("/undo", form={**form, "digest": "9-000000000000"})
    assert answer.status == 409
    assert "has changed since it was shown" in await answer.text()
    assert acted.returned() == 0


async def test_an_undo_that_is_sent_twice_starts_once(acted: Acted, browser: Browser) -> None:
    """Both answers lead to the same undo."""
    page = await acted.site.open(browser, acted.path(), java_script_enabled=False)
    form: dict[str, str | float | bool] = {
        name: await page.get_attribute(f"form.panel input[name={name}]", "value") or ""
        for name in ("csrf", "key", "case", "digest")
    }
    places = [
        (await page.request.post("/undo", form=form, max_redirects=0)).headers["location"]
        for _ in range(2)
    ]
    assert places[0] == places[1]


async def test_a_rule_is_undone_by_operators_alone(acted: Acted, browser: Browser) -> None:
    """An analyst does not even see that there is such a page."""
    rule = acted.plans[1].rule
    page = await acted.site.open(browser, f"/history?rule={rule}")
    await page.get_by_role("link", name="Undo all that these filters name").click()
    assert f"all cases of the rule {rule}" in await page.inner_text("h1")
    assert "2 changes of 1 case" in await page.inner_text("main")

    acted.site.gate.role = Role.ANALYST
    for path in (f"/undo?rule={rule}", "/undo?since=2h"):
        assert (await page.request.get(path)).status == 404
    answer = await page.request.post(
        "/undo",
        form={"rule": acted.plans[1].rule, "digest": "x", "key": "k", "csrf": "csrf-of-a-test"},
    )
    assert answer.status == 404
    acted.site.gate.role = Role.VIEWER
    assert (await page.request.get(acted.path())).status == 404


async def test_the_messages_of_a_sender_are_undone_alone(acted: Acted, browser: Browser) -> None:
    """The history filters by an address, which stays out of the URL; the case goes on."""
    page = await acted.site.open(browser, "/history")
    await page.get_by_text("Filter", exact=True).click()
    await page.fill("input[name=sender_text]", acted.mail[1][0]["message"]["from"])
    await page.get_by_role("button", name="Apply").click()
    assert "bad" not in page.url
    assert await page.locator("[data-row]").count() == 1
    await page.get_by_role("link", name="Undo all that these filters name").click()
    assert "Only these messages are undone" in await page.inner_text("main")
    await page.get_by_role("button", name="Undo 2 changes").click()
    assert "2 of 2 back" in await ended(page)
    assert acted.returned() == 2


async def test_malicious_mail_waits_for_a_second_person(acted: Acted, browser: Browser) -> None:
    """Whoever asked for it cannot agree; somebody else can, and then it runs."""
    malicious = {"final_disposition": "MALICIOUS"}
    acted.bench.deployment.simulator.add(
        [{**line, "message": {**line["message"], **malicious}} for line in acted.mail[0]]
    )
    page = await acted.site.open(browser, acted.path())
    assert "malicious now" in await page.inner_text("main")
    await page.get_by_role("button", name="Ask for this undo").click()
    await page.get_by_role("heading", name="A second person must agree").wait_for()
    assert "You asked for it" in await page.inner_text("main")
    assert await accessibility_problems(page) == []

    acted.site.gate.name = "ben"
    await page.reload()
    await page.get_by_role("button", name="Agree to this undo").click()
    assert "2 of 2 back" in await ended(page)
    assert acted.returned() == 2


async def test_pages_stack_on_a_phone(acted: Acted, browser: Browser) -> None:
    """Nothing scrolls sideways at 360 px; axe has nothing to say in dark colours."""
    for path in ("/history", acted.path()):
        page = await acted.site.open(browser, path, phone=True, color_scheme="dark")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
        assert await accessibility_problems(page) == []


@pytest.mark.parametrize("acted", [NASTY], indirect=True)
async def test_hostile_mail_stays_text(acted: Acted, browser: Browser) -> None:
    """A subject that is markup is shown as text, in the history as in the dry run."""
    page = await acted.site.open(browser, "/history")
    assert "⟨U+202E⟩" in await page.inner_text("main")
    await page.goto(acted.path(1))
    assert acted.site.said == []


async def test_wrong_parameters_are_named(acted: Acted, browser: Browser) -> None:
    """What is not known is an error with a remedy, never an empty list."""
    page = await acted.site.open(browser, "/history?sinse=2h")
    assert "did you mean `since`" in await page.inner_text("main")
    for path, said in (
        ("/history?since=yesterday", "is no time"),
        ("/undo", "say what to undo"),
        ("/undo/000000000000", "There is no undo 000000000000"),
        ("/cases/other/0123456789abcdef/undo", "there is no case"),
    ):
        await page.goto(path)
        assert said in await page.inner_text("main"), path
