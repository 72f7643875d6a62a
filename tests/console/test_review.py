"""Bulk review in a real browser, over a real server with real held cases."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser

from clawback.cases import CasePlan, CaseState
from clawback.model.identity import Role
from tests.console.case_bench import CaseBench, Mail, key_of
from tests.console.console_site import ConsoleSite, accessibility_problems
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, match_of

NASTY = '"><script>alert(1)</script> \u202egnp.exe https://evil.test/x'


@dataclass
class Review:
    """Held cases of a rule of their own, and where they are reviewed."""

    bench: CaseBench
    rule: str
    plans: list[CasePlan]
    mail: list[Mail]

    @property
    def site(self) -> ConsoleSite:
        """The console."""
        return self.bench.site

    @property
    def deployment(self) -> Deployment:
        """The installation behind it."""
        return self.bench.deployment

    @property
    def inbox(self) -> str:
        """The inbox with these cases alone."""
        return f"/?rule={self.rule}"

    @property
    def path(self) -> str:
        """The review of all of them."""
        return "/review?" + "&".join(f"case={key_of(plan)}" for plan in self.plans)

    def moved(self) -> int:
        """How many messages were moved."""
        return len(self.bench.moves_of(*self.mail))

    async def state(self, plan: CasePlan) -> str:
        """The state of a case as it says itself."""
        snapshot = (await self.deployment.cases.status(plan.case_id)).snapshot
        assert snapshot is not None
        return snapshot.state


@pytest.fixture
async def review(bench: CaseBench) -> Review:
    """Three held cases of two messages each; one more message is known of the first sender."""
    rule, mail = f"other{bench.number()}", [bench.new_mail(3) for _ in range(3)]
    plans = [bench.new_plan(rule=rule) for _ in mail]
    for plan, each in zip(plans, mail, strict=True):
        await bench.open_case(plan, each[:2])
    return Review(bench, rule, plans, mail)


async def test_a_selection_is_decided_together(review: Review, browser: Browser) -> None:
    """From the checkboxes of the inbox to one line per case; every message is moved."""
    moved = sum(row["operation"] == "move" for row in review.deployment.ledger)
    page = await review.site.open(browser, review.inbox)
    for box in await page.locator("input[name=case]").all():
        await box.check()
    await page.get_by_role("button", name="Review selected").click()
    text = await page.inner_text("main")
    assert "3 held cases with 6 messages" in text
    assert "Approving will move to JunkEmail: 2 messages in 2 mailboxes." in text
    assert f"Budget of all rules after this: {moved + 6} of" in text
    assert await accessibility_problems(page) == []

    await page.get_by_role("button", name="Approve 3 cases").click()
    assert "Approved 3 of 3" in await page.inner_text("h1")
    assert await accessibility_problems(page) == []
    for plan in review.plans:
        await review.deployment.settled(plan.case_id)
    assert review.moved() == 6
    assert review.site.said == []


async def test_nothing_is_sent_if_one_has_changed(review: Review, browser: Browser) -> None:
    """The page says which and how, and its new form decides what is shown now."""
    page = await review.site.open(browser, review.path)
    grown, *others = review.plans
    await review.deployment.signal_case(grown, match_of(review.mail[0][2]))

    async def has_grown() -> bool | None:
        proposal = await review.deployment.cases.proposal(grown.case_id)
        return len(proposal.messages) == 3 or None

    await eventually(has_grown)
    await page.get_by_role("button", name="Approve 3 cases").click()
    text = await page.inner_text("main")
    assert "Nothing was sent" in text
    assert "changed: 2 messages when it was shown, 3 now" in text
    assert await page.locator("tr.changed").count() == 1
    assert [await review.state(plan) for plan in review.plans] == [CaseState.HELD] * 3
    assert review.moved() == 0

    await page.get_by_role("button", name="Approve 3 cases").click()
    assert "Approved 3 of 3" in await page.inner_text("h1")
    for plan in (grown, *others):
        await review.deployment.settled(plan.case_id)
    assert review.moved() == 7


async def test_what_somebody_else_decided_is_named(review: Review, browser: Browser) -> None:
    """A case that waits no more stops the decision, and is left out of the next one."""
    page = await review.site.open(browser, review.path, java_script_enabled=False)
    first, *others = review.plans
    digest = (await review.deployment.cases.proposal(first.case_id)).digest
    await review.deployment.cases.approve(first.case_id, person("ben"), digest)
    await review.bench.listed(CaseState.SETTLED, first)
    await page.get_by_role("button", name="Approve 3 cases").click()
    text = await page.inner_text("main")
    assert "already approved by ben at" in text
    assert [await review.state(plan) for plan in others] == [CaseState.HELD] * 2
    await page.get_by_role("button", name="Approve 2 cases").click()
    assert "Approved 2 of 2" in await page.inner_text("h1")


async def test_to_deny_takes_a_reason(review: Review, browser: Browser) -> None:
    """Without one nothing is sent; with one every case is denied, also without JavaScript."""
    page = await review.site.open(browser, review.path, java_script_enabled=False)
    await page.get_by_role("button", name="Deny 3 cases").click()
    assert "give a reason to deny" in await page.inner_text("main")
    assert await review.state(review.plans[0]) == CaseState.HELD
    await page.fill("#reason", "our own newsletter")
    await page.get_by_role("button", name="Deny 3 cases").click()
    assert "Denied 3 of 3" in await page.inner_text("h1")
    assert review.moved() == 0
    await review.bench.listed(CaseState.DENIED, *review.plans)


async def test_a_form_that_is_sent_twice_counts_once(review: Review, browser: Browser) -> None:
    """The second answer is the first one, not that the cases are decided already."""
    page = await review.site.open(browser, review.path, java_script_enabled=False)
    form: dict[str, str | float | bool] = {
        "csrf": await page.get_attribute("form.review input[name=csrf]", "value") or "",
        "key": await page.get_attribute("form.review input[name=key]", "value") or "",
        "shown": await page.get_attribute("form.review input[name=shown]", "value") or "",
    }
    answers = [
        await (await page.request.post("/review/approve", form=form)).text() for _ in range(2)
    ]
    assert all("Approved 1 of 1" in answer for answer in answers)


async def test_selected_cases_are_assigned(review: Review, browser: Browser) -> None:
    """From the inbox in one click; the answer is the list of one's own cases."""
    page = await review.site.open(browser, review.inbox, java_script_enabled=False)
    for box in (await page.locator("input[name=case]").all())[:2]:
        await box.check()
    await page.get_by_role("button", name="Assign to me").click()
    await page.wait_for_url("**/?assignee=me")
    assert await page.locator("[data-row]").count() == 2
    assert "ana" in await page.locator("[data-row]").first.inner_text()


async def test_a_large_selection_takes_a_fresh_sign_in(
    review: Review, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More messages than anybody reads are decided only by somebody who has just signed in."""
    monkeypatch.setattr("clawback.console.pages.review.MOST_WITHOUT_SIGN_IN", 5)
    later = datetime.now(UTC) + timedelta(minutes=20)
    monkeypatch.setattr(review.site.services, "now", lambda: later)
    page = await review.site.open(browser, review.path)
    assert "sign in again" in await page.inner_text("main")
    assert await page.get_by_role("button", name="Approve 3 cases").count() == 0


async def test_a_viewer_does_not_see_it(review: Review, browser: Browser) -> None:
    """For whom may not decide there is no such page, and no checkbox in the inbox."""
    review.site.gate.role = Role.VIEWER
    page = await review.site.open(browser, review.inbox)
    assert await page.locator("input[name=case]").count() == 0
    answer = await page.request.get(review.path)
    assert answer.status == 404


async def test_a_wrong_name_of_a_case_is_an_error(review: Review, browser: Browser) -> None:
    """What is no case, too many of them, or none is said in words."""
    page = await review.site.open(browser, "/review?case=zzz")
    assert "`zzz` is no case" in await page.inner_text("main")
    many = "&".join(f"case=other/{number:016x}" for number in range(101))
    await page.goto(f"/review?{many}")
    assert "name at most 100 cases" in await page.inner_text("main")
    await page.goto("/review")
    assert "name at least one case" in await page.inner_text("main")


async def test_a_review_stacks_on_a_phone(review: Review, browser: Browser) -> None:
    """Nothing scrolls sideways at 360 px, in dark colours as well."""
    page = await review.site.open(browser, review.path, phone=True, color_scheme="dark")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert await accessibility_problems(page) == []


async def test_hostile_mail_stays_text(bench: CaseBench, browser: Browser) -> None:
    """Subject, sender and name of an attacker are shown and do nothing."""
    plan = bench.new_plan()
    await bench.open_case(
        plan, bench.new_mail(2, subject=NASTY, from_name=NASTY, **{"from": NASTY})
    )
    page = await bench.site.open(browser, f"/review?case={key_of(plan)}")
    text = await page.inner_text("main")
    assert "⟨U+202E⟩" in text
    assert "hxxps" in text
    assert bench.site.said == []


async def test_a_hundred_cases_are_one_decision(bench: CaseBench, browser: Browser) -> None:
    """The most that one review takes: one line for each."""
    cases = await asyncio.gather(*(bench.hold(1) for _ in range(100)))
    path = "/review?" + "&".join(f"case={key_of(case.plan)}" for case in cases)
    page = await bench.site.open(browser, path)
    await page.fill("#reason", "checked")
    await page.get_by_role("button", name="Approve 100 cases").click()
    assert "Approved 100 of 100" in await page.inner_text("h1")
    assert await page.locator("[data-row]").count() == 100
