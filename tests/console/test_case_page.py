"""The page of a case as people meet it, in a real browser, over real cases."""

import asyncio
from datetime import timedelta

import httpx
from playwright.async_api import Browser, Page, Route, expect

from clawback.actions import BlockSender
from clawback.cases import CaseState, CorrelationType, CorrelationWindow
from clawback.model.addresses import PatternKind
from clawback.model.audit_record import RecordKind
from clawback.model.identity import Role
from clawback.temporal.block_gateway import ActiveBlock
from tests.console.case_bench import CaseBench, HeldCase
from tests.console.console_site import accessibility_problems
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import match_of


def records(bench: CaseBench, case: HeldCase, kind: RecordKind) -> list[str]:
    """Who is in the records of one kind about a case."""
    found = bench.deployment.audit()
    return [one.actor for one in found if one.kind is kind and one.case == case.plan.case_id]


async def recorded(bench: CaseBench, case: HeldCase, kind: RecordKind) -> list[str]:
    """Wait for records of one kind about a case."""

    async def there() -> list[str] | None:
        return records(bench, case, kind) or None

    return await eventually(there)


async def read_form(page: Page) -> dict[str, str]:
    """What the form to approve would send."""
    fields = page.locator("form[action*=approve] input")
    return {
        str(await field.get_attribute("name")): str(await field.get_attribute("value"))
        for field in await fields.all()
    }


async def test_one_tap_on_the_page_of_a_phone_approves(bench: CaseBench, browser: Browser) -> None:
    """The link of a notification is the first tap, Approve the second; the receipt proves it."""
    case = await bench.hold()
    page = await bench.site.open(browser, case.path, phone=True, color_scheme="dark")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    button = page.get_by_role("button", name="Approve 3")
    await expect(button).to_be_in_viewport()
    assert await accessibility_problems(page) == []

    await button.click()
    await expect(page.locator("#decision")).to_contain_text("Approved by ana")
    await bench.deployment.settled(case.plan.case_id)
    assert len(bench.moves_of(case.lines)) == 3
    assert await recorded(bench, case, RecordKind.APPROVED) == ["ana"]

    await page.get_by_role("link", name="Receipt").click()
    await expect(page.locator("main")).to_contain_text("clawback audit verify --head")
    await expect(page.locator("main")).to_contain_text("The 3 messages of this decision")
    assert bench.site.said == []


async def test_a_case_that_grew_asks_again(bench: CaseBench, browser: Browser) -> None:
    """The open page says so and moves nothing; Approve then shows the difference, focused."""
    case = await bench.hold()
    page = await bench.site.open(browser, case.path)
    await bench.deployment.signal_case(case.plan, *map(match_of, bench.new_mail(2)))
    await expect(page.locator("#case-news")).to_contain_text("Show what is new", timeout=40_000)
    await expect(page.get_by_role("button", name="Approve 3")).to_be_visible()

    await page.get_by_role("button", name="Approve 3").click()
    await expect(page.locator("#change")).to_contain_text("2 messages more than you saw")
    await expect(page.locator("#change")).to_be_focused()
    assert bench.moves_of(case.lines) == []
    added = await page.get_by_role("link", name="Messages that are new").get_attribute("href")
    only = await page.request.get(bench.site.url + str(added))
    assert (await only.text()).count("<tr data-row") == 2

    await page.get_by_role("button", name="Approve 5").click()
    await expect(page.locator("#decision")).to_contain_text("Approved by ana")
    # A browser reports every answer of 400 and above, also one that a page expects.
    bench.site.said[:] = [text for text in bench.site.said if "409" not in text]
    assert bench.site.said == []


async def test_a_page_hears_of_news_whatever_came_first(bench: CaseBench, browser: Browser) -> None:
    """One stream is opened if htmx starts before its extension, and again if it was refused."""
    case = await bench.hold(1)
    page = await bench.site.open(browser, "/keys")
    asked = 0

    async def come_late(route: Route) -> None:
        await asyncio.sleep(0.5)
        await route.continue_()

    async def refuse_first(route: Route) -> None:
        nonlocal asked
        asked += 1
        await (route.fulfill(status=429) if asked == 1 else route.continue_())

    await page.route("**/hx-sse-*", come_late)
    await page.route("**/events?**", refuse_first)
    await page.goto(case.path)
    await expect(page.locator("#connection")).to_contain_text("two other windows")
    await expect(page.locator("#connection")).to_have_text("· live")
    assert asked == 2
    bench.site.said[:] = [text for text in bench.site.said if "429" not in text]
    assert bench.site.said == []


async def test_a_correlation_is_drawn_and_messages_are_found_by_mailbox(
    bench: CaseBench, browser: Browser
) -> None:
    """One mark for each event and the same as a table; no address gets into a URL."""
    window = CorrelationWindow(
        type=CorrelationType.EVENT_COUNT, timespan=timedelta(hours=1), at_least=2
    )
    case = await bench.hold(3, correlation=window)
    page = await bench.site.open(browser, case.path)
    figure = page.locator("figure.window")
    await expect(figure).to_contain_text("event count: at least 2 within 1h")
    assert await figure.locator("circle.mark").count() == 3
    places = [
        float(str(await one.get_attribute("cy"))) for one in await figure.locator("circle").all()
    ]
    threshold = float(str(await figure.locator("line.threshold").get_attribute("y1")))
    assert [place <= threshold for place in places] == [False, True, True]
    await figure.locator("summary").click()
    assert await figure.locator("tbody tr").count() == 3
    assert await accessibility_problems(page) == []

    await page.get_by_role("link", name="All, filter by mailbox").click()
    mailbox = str(case.lines[0]["message"]["to"][0])
    await page.get_by_label("Mailbox").fill(mailbox)
    await page.get_by_role("button", name="Filter").click()
    await page.wait_for_url("**/messages?*mailbox=*")
    assert mailbox.partition("@")[0] not in page.url
    assert await page.locator("[data-row]").count() == 1
    await page.get_by_role("link", name="Clear").click()
    await expect(page.locator("[data-row]")).to_have_count(3)
    assert bench.site.said == []


async def test_a_block_is_extended_on_the_page_of_its_case(
    bench: CaseBench, browser: Browser
) -> None:
    """By operators, until an end that the page names; sent again it counts once."""
    case = await bench.hold(1, actions=(BlockSender(pattern="s@blocked.test"),))
    proposal = await bench.deployment.cases.proposal(case.plan.case_id)
    await bench.deployment.cases.approve(case.plan.case_id, person("ben"), proposal.digest)
    await bench.deployment.settled(case.plan.case_id)

    async def block() -> ActiveBlock | None:
        found = [one async for one in bench.site.services.blocks.list_active()]
        return next((one for one in found if one.case == case.plan.case_id), None)

    before = await eventually(block)
    page = await bench.site.open(browser, case.path, java_script_enabled=False)
    await page.get_by_text("Extend this block").click()
    await page.get_by_label("Until").select_option(index=1)
    await page.get_by_label("Reason (required)").fill("still sends")
    form = await page.locator("form[action*=extend]").evaluate(
        "form => Object.fromEntries(new FormData(form))"
    )
    await page.get_by_role("button", name="Extend the block").click()
    assert page.url.partition("?")[0].endswith(case.path)
    longer = await bench.site.services.blocks.read(before.id)
    assert longer.expires_at - before.expires_at == timedelta(days=30)
    assert f"blocked until {longer.expires_at:%Y-%m-%d %H:%M:%S}" in await page.inner_text("main")
    again = await page.request.post(f"/ops/blocks/{before.id}/extend", form={**form, "reason": "x"})
    assert again.status == 409

    bench.site.gate.role = Role.ANALYST
    try:
        await page.reload()
        assert "blocked until" in await page.inner_text("main")
        assert await page.locator("form[action*=extend]").count() == 0
    finally:
        bench.site.gate.role = Role.OPERATOR


async def test_what_is_sent_twice_counts_once(bench: CaseBench, browser: Browser) -> None:
    """Two clicks, and the same form again without the script, are one record."""
    case = await bench.hold()
    page = await bench.site.open(browser, case.path)
    form = await read_form(page)
    await page.get_by_role("button", name="Approve 3").dblclick()
    await expect(page.locator("#decision")).to_contain_text("Approved by ana")

    async with httpx.AsyncClient(base_url=bench.site.url) as client:
        again = await client.post(f"{case.path}/approve", data=form)
        assert again.status_code == 303
    await bench.deployment.settled(case.plan.case_id)
    assert await recorded(bench, case, RecordKind.APPROVED) == ["ana"]


async def test_without_javascript_a_denial_needs_a_reason(
    bench: CaseBench, browser: Browser
) -> None:
    """The page, the form and the answer work as plain HTML; without a reason nothing is denied."""
    case = await bench.hold()
    page = await bench.site.open(browser, case.path, java_script_enabled=False)
    form = await read_form(page)
    async with httpx.AsyncClient(base_url=bench.site.url) as client:
        answer = await client.post(f"{case.path}/deny", data=form)
    assert answer.status_code == 422
    assert "a denial needs a reason" in answer.text

    await page.get_by_text("Deny…").click()
    await page.get_by_label("Why?").fill("own newsletter")
    await page.get_by_role("button", name="Deny 3").click()
    await expect(page.locator("#decision")).to_contain_text("Denied by ana")
    await expect(page.locator("#decision")).to_contain_text("own newsletter")
    assert bench.moves_of(case.lines) == []


async def test_an_old_form_gets_the_difference_without_javascript(
    bench: CaseBench, browser: Browser
) -> None:
    """The answer is a whole page with 409, the difference and a fresh form."""
    case = await bench.hold()
    page = await bench.site.open(browser, case.path, java_script_enabled=False)
    form = await read_form(page)
    await bench.deployment.signal_case(case.plan, *map(match_of, bench.new_mail(1)))
    await bench.deployment.settled(case.plan.case_id, CaseState.HELD)

    async with httpx.AsyncClient(base_url=bench.site.url) as client:
        answer = await client.post(f"{case.path}/approve", data=form)
    assert answer.status_code == 409
    assert "1 message more than you saw" in answer.text
    assert "Approve 4" in answer.text
    assert f'value="{form["digest"]}"' not in answer.text


async def test_a_wide_action_needs_a_second_person(bench: CaseBench, browser: Browser) -> None:
    """One person cannot approve twice; the page says who has, and another one completes it."""
    wide = BlockSender(pattern="wide.test", kind=PatternKind.DOMAIN)
    case = await bench.hold(1, actions=(wide,))
    page = await bench.site.open(browser, case.path)
    await expect(page.locator("#decision")).to_contain_text("2 people must agree")
    await page.locator("button[data-key=a]").click()
    await expect(page.locator("#decision")).to_contain_text("Another person must agree")
    assert await page.locator("button[data-key=a]").count() == 0

    bench.site.gate.name = "ben"
    try:
        await page.reload()
        await expect(page.locator("#decision")).to_contain_text("ana agreed so far")
        await page.locator("button[data-key=a]").click()
        await expect(page.locator("#decision")).to_contain_text("Approved by ana and ben")
    finally:
        bench.site.gate.name = "ana"


async def test_who_decided_meanwhile_is_shown_in_place_of_the_buttons(
    bench: CaseBench, browser: Browser
) -> None:
    """The open page hides its buttons by itself, and says who decided."""
    case = await bench.hold()
    page = await bench.site.open(browser, case.path)
    proposal = await bench.deployment.cases.proposal(case.plan.case_id)
    await bench.deployment.cases.deny(case.plan.case_id, person("ben"), "mine", proposal.digest)
    await expect(page.locator("#case-news")).to_contain_text("Denied by ben", timeout=40_000)
    await expect(page.get_by_role("button", name="Approve 3")).to_be_hidden()
    assert bench.site.said == []


async def test_a_viewer_sees_the_case_and_can_change_nothing(
    bench: CaseBench, browser: Browser
) -> None:
    """No buttons, no link to a message; what a viewer may not do does not exist."""
    case = await bench.hold()
    bench.site.gate.role = Role.VIEWER
    try:
        page = await bench.site.open(browser, case.path)
        await expect(page.locator("#sentence")).to_contain_text("Approving acts on 3 messages")
        assert await page.locator("main form").count() == 0
        assert await page.locator("a[href*='/messages/']").count() == 0
        async with httpx.AsyncClient(base_url=bench.site.url) as client:
            id_ = case.lines[0]["message"]["id"]
            for path in ("approve", "deny", "comment", "assign"):
                assert (await client.post(f"{case.path}/{path}")).status_code == 404
            for path in (f"messages/{id_}", "audit", "exception"):
                assert (await client.get(f"{case.path}/{path}")).status_code == 404
    finally:
        bench.site.gate.role = Role.OPERATOR


async def test_the_keyboard_is_enough(bench: CaseBench, browser: Browser) -> None:
    """`d` opens Deny, and only a reason with Enter denies; no letter decides."""
    case = await bench.hold()
    page = await bench.site.open(browser, case.path)
    await page.keyboard.press("a")
    await expect(page.locator("[data-key=a]")).to_be_focused()
    await page.keyboard.press("d")
    await expect(page.locator("[data-key=d]")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.type("known sender")
    await page.keyboard.press("Enter")
    await expect(page.locator("#decision")).to_contain_text("Denied by ana")
    assert bench.site.said == []


async def test_comments_and_assignment_are_on_the_page(bench: CaseBench, browser: Browser) -> None:
    """Both are recorded, and shown with who wrote them; also without JavaScript."""
    case = await bench.hold()
    page = await bench.site.open(browser, case.path, java_script_enabled=False)
    await page.get_by_role("button", name="Assign to me").click()
    await expect(page.locator("main")).to_contain_text("Assignee: ana")
    await page.get_by_label("Comment").fill("<b>asked</b> accounting")
    await page.get_by_role("button", name="Comment").click()
    await expect(page.locator("article")).to_contain_text("<b>asked</b> accounting")
    assert await recorded(bench, case, RecordKind.COMMENTED) == ["ana"]


async def test_text_from_mail_is_harmless_in_every_field(
    bench: CaseBench, browser: Browser
) -> None:
    """Markup stays text, what is invisible becomes visible, and links are no links."""
    hostile = '"><img src=x onerror=alert(1)>\u202e\u2069https://evil.test/'
    case_lines = bench.new_mail(
        1, subject=hostile, from_name=hostile, validation={"spf": hostile, "dmarc": "fail"}
    )
    plan = bench.new_plan(title=hostile, group={"subject": hostile})
    match = match_of(case_lines[0]).model_copy(update={"reasons": (f"subject is x ← {hostile}",)})
    await bench.deployment.signal_case(plan, match)
    await bench.deployment.settled(plan.case_id, CaseState.HELD)
    case = HeldCase(plan, case_lines)
    await bench.listed(CaseState.HELD, plan)
    for path in (case.path, f"{case.path}/messages", f"{case.path}/exception"):
        page = await bench.site.open(browser, path)
        text = await page.locator("main").inner_text()
        assert "⟨U+202E⟩" in text or "exception" in path
        assert await page.locator("main img, main a[href*=evil]").count() == 0
        assert await accessibility_problems(page) == []
    assert bench.site.said == []


async def test_a_view_is_recorded_once(bench: CaseBench, browser: Browser) -> None:
    """Who looked at which case is in the audit, once in ten minutes; others see it on the page."""
    case = await bench.hold()
    for _ in range(2):
        await bench.site.open(browser, case.path)
    assert records(bench, case, RecordKind.VIEWED) == ["ana"]

    bench.site.gate.name = "ben"
    try:
        page = await bench.site.open(browser, case.path)
        await expect(page.locator("main")).to_contain_text("ana looked at this")
        page = await bench.site.open(browser, f"{case.path}/audit")
        await expect(page.locator("main")).to_contain_text("viewed")
        assert await accessibility_problems(page) == []
    finally:
        bench.site.gate.name = "ana"


async def test_a_case_of_fifty_messages_is_light(bench: CaseBench) -> None:
    """The page is below 150 kB; how fast it is, the benchmark says."""
    case = await bench.hold(50)
    async with httpx.AsyncClient(base_url=bench.site.url) as client:
        answer = await client.get(case.path)
    assert answer.status_code == 200
    assert len(answer.content) < 150_000
