"""`…/audit`: the records of a case. `…/receipt`: what proves a decision, as a page and as JSON."""

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from clawback.cases import Decision
from clawback.console.access.view_log import ViewedObject
from clawback.console.errors import NoSuchObject
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass, ViewAudit
from clawback.console.pages.case_page import OpenedCase, open_case
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.sources.case_audit import find_decision, read_case_records
from clawback.console.sources.decided_messages import DecidedMessages, read_decided
from clawback.console.views.case_records import (
    DecidedMessage,
    DecisionReceipt,
    RecordsView,
    build_records,
    name_deciders,
)
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.proposal_change import describe_message
from clawback.console.views.times import Clock
from clawback.model.audit_record import RecordKind
from clawback.model.identity import Role
from clawback.model.texts import plural
from clawback.temporal import names

_LONGEST_REASON: Final = 1000


async def show_audit(request: Request) -> Response:
    """Show what the audit of this machine says about a case, and who looked at it."""
    query = read_query(request, frozenset({"run"}))
    opened = await open_case(request, query.get("run", ""))
    request.state.viewed = ViewedObject(opened.campaign.id, "audit")
    services, case_id = opened.services, opened.campaign.id
    memory = opened.file.case.snapshot
    assert memory is not None  # noqa: S101 - `open_case` has checked it

    records = await read_case_records(services.settings, case_id, memory.opened_at)
    clock = Clock(services.now(), Preferences.of(request).zone)
    view = RecordsView(
        short_id=names.short_id(case_id),
        case_path=opened.campaign.page,
        records=build_records(records.found, clock),
        earlier=f"{records.earlier:,} earlier ones are not shown." if records.earlier else "",
        problem=records.problem,
        command=f"clawback audit search --case {case_id}",
    )
    return render_page(
        request,
        "case_audit",
        view,
        title=f"Audit of case {view.short_id}",
        command=view.command,
    )


async def show_receipt(request: Request) -> Response:
    """Show what proves the last decision about a case."""
    receipt = await _read_receipt(request)
    title = f"Receipt: {receipt.verb} case {receipt.short_id}"
    return render_page(request, "receipt", receipt, title=title)


async def download_receipt(request: Request) -> Response:
    """Return the receipt as JSON, for a ticket."""
    receipt = await _read_receipt(request)
    return JSONResponse(
        {
            "case": receipt.case,
            "decision": receipt.verb,
            "by": receipt.by,
            "at": receipt.at.machine,
            "reason": receipt.reason,
            "digest": receipt.digest,
            "rule": receipt.rule,
            "rule_version": receipt.rule_version,
            "messages": [message.id for message in receipt.messages],
            "messages_are_exact": receipt.is_list_exact,
            "audit_record": receipt.record or None,
            "audit_head": receipt.head or None,
        }
    )


async def _read_receipt(request: Request) -> DecisionReceipt:
    query = read_query(request, frozenset({"run"}))
    opened = await open_case(request, query.get("run", ""))
    memory = opened.file.case.snapshot
    decision = memory.decision if memory else None
    if memory is None or decision is None:
        raise NoSuchObject("Nobody has decided about this case, or more came since the decision.")
    request.state.viewed = ViewedObject(opened.campaign.id, "receipt")
    approvals = memory.approvals if decision.approved else ()
    return await _build(request, opened, decision, approvals or (decision,))


async def _build(
    request: Request, opened: OpenedCase, decision: Decision, deciders: tuple[Decision, ...]
) -> DecisionReceipt:
    services, case_id, file = opened.services, opened.campaign.id, opened.file
    kind = RecordKind.APPROVED if decision.approved else RecordKind.DENIED
    recorded = await find_decision(services.settings, case_id, kind, decision.at)
    clock = Clock(services.now(), Preferences.of(request).zone)
    head = str(recorded.head) if recorded else ""
    decided = await read_decided(services.open_cases, file, decision)
    return DecisionReceipt(
        case=case_id,
        case_path=opened.campaign.page,
        short_id=names.short_id(case_id),
        verb="approved" if decision.approved else "denied",
        by=name_deciders(deciders),
        at=clock.show(decision.at),
        reason=show_mail_text(decision.reason, _LONGEST_REASON),
        digest=decision.digest,
        rule=file.plan.rule,
        rule_version=file.plan.version,
        messages=tuple(
            DecidedMessage(id_, describe_message(id_, target))
            for id_, target in decided.found.items()
        ),
        messages_text=_describe_list(decided),
        is_list_exact=decided.is_exact and not decided.left_out,
        record=recorded.record.id if recorded else "",
        head=head,
        verify=f"clawback audit verify --head {head}" if head else "",
        data_path=f"{opened.campaign.path}/receipt.json{opened.campaign.query}",
    )


def _describe_list(decided: DecidedMessages) -> str:
    count = plural(len(decided.found), "message")
    what = f"The {count} of this decision"
    if not decided.is_exact:
        what = f"The {count} that the case has now: it does not remember what it proposed then"
    if decided.left_out:
        what += f"; {plural(decided.left_out, 'more part')} of the campaign not listed"
    return what


CASE_AUDIT_PAGES: Final = (
    Page(
        "/cases/{rule}/{hash}/audit",
        show_audit,
        Role.ANALYST,
        RateClass.COSTLY,
        audit=ViewAudit.VIEWED,
    ),
    Page("/cases/{rule}/{hash}/receipt", show_receipt, Role.VIEWER, audit=ViewAudit.VIEWED),
    Page(
        "/cases/{rule}/{hash}/receipt.json", download_receipt, Role.VIEWER, audit=ViewAudit.VIEWED
    ),
)
