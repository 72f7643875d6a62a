"""`GET /cases/<rule>/<hash>`: one campaign, and what people need to decide about it."""

import re
import secrets
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from clawback.actions.outcomes import BLOCKED
from clawback.case_files.case_file import CaseFile
from clawback.cases import CaseState
from clawback.console.access.view_log import ViewedObject
from clawback.console.access.who import Visitor
from clawback.console.errors import BadRequest, NoSuchObject
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, ViewAudit
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import Services, services_of, visitor_of
from clawback.console.sources.campaign_runs import CampaignRun, find_campaign
from clawback.console.sources.case_blocks import MOST_SHOWN, find_case_blocks
from clawback.console.views.blocks import CaseBlock, build_case_blocks
from clawback.console.views.case_view import CaseFacts, MoreLinks, ShownLooker, build_case
from clawback.console.views.decision_panel import Asked, build_panel
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.message_rows import PAGE_SIZE, PresentForm, RowContext
from clawback.console.views.proposal_change import ChangeView, build_change
from clawback.console.views.times import Clock, format_absolute
from clawback.model.identity import Role
from clawback.model.orders import Verb
from clawback.settings import Settings
from clawback.temporal.workflow_calls import NoSuchWorkflow

DIGEST: Final = re.compile(r"\d{1,9}-[0-9a-f]{12}")
BLOCK: Final = "block_sender"
_DASHBOARD: Final = "https://dash.cloudflare.com"
_NOT_SHOWN: Final = "There is no such case. Search for its subject or sender above."


@dataclass(frozen=True)
class OpenedCase:
    """A case that a request is about, as it is now."""

    services: Services
    visitor: Visitor
    campaign: CampaignRun
    file: CaseFile

    @property
    def may_decide(self) -> bool:
        """Whether this person may decide about cases."""
        return self.visitor.may(Role.ANALYST)


@dataclass(frozen=True)
class Answer:
    """What became of a decision, for the page that says so."""

    problem: str = ""
    reason: str = ""
    status: int = HTTPStatus.OK


async def open_case(request: Request, run: str) -> OpenedCase:
    """Read the case that a request names.

    Raises:
        NoSuchObject: there is none.
        QueryFailed, RPCError: it does not answer.

    """
    services, visitor = services_of(request), visitor_of(request)
    campaign = await find_campaign(request, services, run)
    try:
        file = await services.open_cases.read(campaign.id, campaign.run)
    except NoSuchWorkflow:
        raise NoSuchObject(_NOT_SHOWN) from None
    if file.case.snapshot is None:
        raise NoSuchObject(_NOT_SHOWN)
    return OpenedCase(services, visitor, campaign, file)


async def show_case(request: Request) -> Response:
    """Show a case; `seen` is the digest of what a person saw, to show what is new since."""
    query = read_query(request, frozenset({"run", "seen"}))
    opened = await open_case(request, query.get("run", ""))
    request.state.viewed = ViewedObject(opened.campaign.id)
    return await render_case(request, opened, query.get("seen", ""))


async def show_news(request: Request) -> Response:
    """Show only what is new about a case since a digest: a fragment that the open page asks for."""
    query = read_query(request, frozenset({"run", "seen"}))
    opened = await open_case(request, query.get("run", ""))
    asked = await ask(opened, query.get("seen", ""))
    services = opened.services
    panel = build_panel(opened.file, asked, services.now(), Preferences.of(request).zone)
    page = replace(opened.campaign, query=_with_seen(opened.campaign.query, query.get("seen", "")))
    view = NewsView(
        panel.over, panel.is_held, panel.change.summary if panel.change else "", page.page
    )
    return render_page(request, "case_news", view, title="News")


@dataclass(frozen=True)
class NewsView:
    """What is new about a case."""

    over: str
    is_held: bool
    change: str
    page: str


async def ask(opened: OpenedCase, seen: str, answer: Answer | None = None) -> Asked:
    """Gather what the decision panel needs besides the case."""
    answer = answer or Answer()
    problem = opened.services.read_model.problem
    return Asked(
        identity=opened.visitor.identity,
        may_decide=opened.may_decide,
        path=opened.campaign.path,
        query=opened.campaign.query,
        key=secrets.token_hex(16),
        seen=seen,
        change=await find_change(opened, seen),
        problem=answer.problem,
        reason=answer.reason,
        blocked=f"Nobody can decide: {problem}" if problem else "",
        is_earlier=not opened.campaign.is_newest,
    )


async def render_case(
    request: Request, opened: OpenedCase, seen: str = "", answer: Answer | None = None
) -> Response:
    """Render the page of a case, also as the answer to a decision that did not count."""
    services, file = opened.services, opened.file
    clock = Clock(services.now(), Preferences.of(request).zone)
    asked = await ask(opened, seen, answer)
    rows = row_context(opened, clock, frozenset(asked.change.added_ids if asked.change else ()))
    first = tuple(rows.memory.all_targets.values())[:PAGE_SIZE]
    others = services.views.others(opened.visitor, opened.campaign.id, clock.now)
    view = build_case(
        CaseFacts(
            file=file,
            asked=asked,
            clock=clock,
            listed=opened.campaign.listed,
            every=services.read_model.cases,
            more=_link(opened),
            rows=replace(
                rows, present=services.present.known([one.id for one in first], clock.now)
            ),
            first=first,
            present=present_form(opened, _with_seen(opened.campaign.query, seen)),
            undone=services.undo_record.actions,
            blocks=await _find_blocks(opened, clock),
            lookers=tuple(
                ShownLooker(show_mail_text(one.name), clock.show(one.at)) for one in others
            ),
        )
    )
    return render_page(
        request,
        "case",
        view,
        title=f"{view.state.upper()}: {view.subject}",
        status=answer.status if answer else HTTPStatus.OK,
        topic=opened.campaign.id if opened.campaign.is_newest else "",
        as_of=format_absolute(clock.now, clock.zone),
        command=f"clawback case show {view.short_id}",
        returns_to=opened.campaign.page,
    )


async def _find_blocks(opened: OpenedCase, clock: Clock) -> tuple[CaseBlock, ...]:
    """Find the blocks of a case that has made some, for those who may extend one too."""
    file = opened.file
    has_blocked = any(
        action.name == BLOCK and BLOCKED in file.count_outcomes(index)
        for index, action in enumerate(file.plan.actions)
    )
    if not has_blocked:
        return ()
    found = await find_case_blocks(opened.services.blocks, opened.campaign.id) or ()
    may_extend = opened.visitor.may_order(Verb.EXTEND_BLOCK)
    return build_case_blocks(found[:MOST_SHOWN], clock.now, clock.zone, may_extend=may_extend)


def row_context(opened: OpenedCase, clock: Clock, new: frozenset[str]) -> RowContext:
    """Gather what all rows of messages have in common."""
    memory = opened.file.case.snapshot
    assert memory is not None  # noqa: S101 - `open_case` has checked it
    return RowContext(
        plan=opened.file.plan,
        memory=memory,
        clock=clock,
        path=opened.campaign.path,
        query=opened.campaign.query,
        may_open=opened.may_decide,
        new=new,
    )


def present_form(opened: OpenedCase, query: str, said: str = "", problem: str = "") -> PresentForm:
    """Build the form that reads messages from Cloudflare, for those who may."""
    path = f"{opened.campaign.path}/present{query}" if opened.may_decide else ""
    return PresentForm(path, said, problem)


async def find_change(opened: OpenedCase, seen: str) -> ChangeView | None:
    """Return what is new since a digest; None if nothing is, or nobody saw anything.

    Raises:
        BadRequest: this is no digest.

    """
    proposal, memory = opened.file.proposal, opened.file.case.snapshot
    if seen and DIGEST.fullmatch(seen) is None:
        raise BadRequest("seen: give a digest as the page of a case shows it")
    if not seen or proposal is None or memory is None or proposal.digest == seen:
        return None
    change = await opened.services.cases.proposal_change(opened.campaign.id, seen)
    return build_change(change, memory.all_targets)


def _link(opened: OpenedCase) -> MoreLinks:
    path, query, file = opened.campaign.path, opened.campaign.query, opened.file
    may, visitor = opened.may_decide, opened.visitor
    changed = bool(file.case.snapshot and file.case.snapshot.applied) or any(
        part.changed for part in file.parts
    )
    can_undo = may and changed and file.state != CaseState.UNDONE
    blocks = any(action.name == BLOCK for action in file.plan.actions)
    return MoreLinks(
        assign_path=f"{path}/assign{query}" if may else "",
        comment_path=f"{path}/comment{query}" if may else "",
        undo_path=f"{path}/undo{query}" if can_undo else "",
        exception_path=f"{path}/exception{query}" if may else "",
        blocks_path="/ops/blocks" if blocks and visitor.may_order(Verb.LIFT_BLOCK) else "",
        audit_path=f"{path}/audit{query}" if may else "",
        rule_path=f"/rules/{quote(file.plan.rule, safe='')}",
        compare_path=f"/rules/{quote(file.plan.rule, safe='')}?since={quote(file.plan.version)}",
        cloudflare=dashboard_path(opened.services.settings),
        temporal=(file.link or "") if visitor.may(Role.OPERATOR) else "",
        trace_id=file.case.trace_id or "",
    )


def dashboard_path(settings: Settings) -> str:
    """Return the address of Investigate in Cloudflare's dashboard; empty without an account."""
    account = settings.cloudflare_account_id
    return f"{_DASHBOARD}/{quote(account, safe='')}/email-security/investigation" if account else ""


def _with_seen(query: str, seen: str) -> str:
    added = f"seen={quote(seen, safe='')}"
    return (f"{query}&{added}" if query else f"?{added}") if seen else query


CASE_PAGES: Final = (
    Page("/cases/{rule}/{hash}", show_case, Role.VIEWER, audit=ViewAudit.VIEWED),
    Page("/cases/{rule}/{hash}/news", show_news, Role.VIEWER),
)
