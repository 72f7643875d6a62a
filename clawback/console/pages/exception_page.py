"""`…/exception`: a Sigma filter for the sender of a case, to copy into the folder of rules."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from clawback.console.access.view_log import ViewedObject
from clawback.console.errors import NoSuchObject
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, ViewAudit
from clawback.console.pages.case_page import open_case
from clawback.console.requests.query import read_query
from clawback.model.events import EventKind
from clawback.model.identity import Role
from clawback.model.texts import printable
from clawback.temporal import names


@dataclass(frozen=True)
class ExceptionView:
    """The file, and where it belongs."""

    case_path: str
    short_id: str
    path: str
    text: str
    is_forgeable: bool
    rule: str
    rule_path: str


async def draft_exception(request: Request) -> Response:
    """Show a ready exception for the first sender of a case. Nothing is changed by it."""
    # It reads the catalogue of fields, which no other page needs.
    from clawback.rules.tools.exception_draft import ExceptionDraft  # noqa: PLC0415 - see above

    query = read_query(request, frozenset({"run"}))
    opened = await open_case(request, query.get("run", ""))
    request.state.viewed = ViewedObject(opened.campaign.id)
    memory = opened.file.case.snapshot
    targets = memory.all_targets.values() if memory else ()
    target = next((one for one in targets if one.sender), None)
    if target is None or target.sender is None:
        raise NoSuchObject("No message of this case has a sender that an exception could name.")

    rule = opened.file.plan.rule
    facts = await opened.services.rules.read_facts()
    kinds = facts.kinds.get(rule, ()) if facts else ()
    draft = ExceptionDraft(
        rule=rule,
        kind=kinds[0] if kinds else EventKind.MESSAGE,
        sender=printable(target.sender),
        passes_dmarc=(target.dmarc or "").lower() == "pass",
        today=opened.services.now().date(),
    )
    view = ExceptionView(
        case_path=opened.campaign.page,
        short_id=names.short_id(opened.campaign.id),
        path=draft.path,
        text=draft.render(),
        is_forgeable=not draft.passes_dmarc,
        rule=rule,
        rule_path=f"/rules/{quote(rule, safe='')}",
    )
    return render_page(request, "exception", view, title=f"Exception to {rule}")


EXCEPTION_PAGES: Final = (
    Page("/cases/{rule}/{hash}/exception", draft_exception, Role.ANALYST, audit=ViewAudit.VIEWED),
)
