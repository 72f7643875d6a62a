"""`/ops/blocks`: the blocks that stand; `/ops/blocks/<id>`: one of them, to extend or lift."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.console.errors import BadRequest, Conflict, NoSuchObject
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.case_keys import CaseKey
from clawback.console.requests.forms import Form, read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import services_of, visitor_of
from clawback.console.views.blocks import BlockView, build_blocks, build_row
from clawback.console.views.mail_text import show_mail_text
from clawback.model.durations import parse_duration
from clawback.model.identity import Role
from clawback.model.orders import Verb
from clawback.model.policies import Removal
from clawback.model.texts import bounded
from clawback.model.times import parse_time
from clawback.temporal.block_gateway import ActiveBlock
from clawback.temporal.workflow_calls import NoSuchWorkflow, UpdateRefused

_LIFT_PATIENCE: Final = timedelta(seconds=10)
_LONGEST_REASON: Final = 500
_LONGEST_EXTENSION: Final = timedelta(days=366)
_SAID: Final = {
    Removal.GONE: "It was gone already.",
    Removal.REMOVED: "It was removed.",
    Removal.LEFT_ALONE: "Somebody has edited it, so it was left in place.",
    None: "It will be removed as soon as Cloudflare answers.",
}


async def show_blocks(request: Request) -> Response:
    """List the blocks that stand."""
    read_query(request, frozenset())
    services, zone = services_of(request), Preferences.of(request).zone
    blocks = [block async for block in services.blocks.list_active()]
    policies = await services.block_policies.read() if blocks else {}
    view = build_blocks(blocks, policies, services.now(), zone)
    return render_page(request, "blocks", view, title="Blocks", command="clawback block list")


async def show_block(request: Request) -> Response:
    """Show one block, as the server has it now."""
    query = read_query(request, frozenset({"said"}))
    said = next((text for key, text in _SAID.items() if str(key) == query.get("said")), "")
    services, id_ = services_of(request), request.path_params["id"]
    block, ended = None, ""
    try:
        found = await services.blocks.read(id_)
    except UpdateRefused as error:
        ended = str(error)
    except NoSuchWorkflow:
        raise _no_block(id_) from None
    else:
        policies = await services.block_policies.read()
        block = build_row(found, policies, services.now(), Preferences.of(request).zone)

    may_change = visitor_of(request).may_order(Verb.EXTEND_BLOCK)
    name = show_mail_text(id_)
    view = BlockView(block, name, show_mail_text(ended), said, may_change)
    title = f"Block of {block.pattern}" if block else f"Block {name}"
    command = f"clawback block extend {name} --for 30d"
    return render_page(request, "block", view, title=title, command=command)


async def extend_block(request: Request) -> Response:
    """Let a block stand longer, by a duration or until a time; back to `case` if that is given."""
    services, form = services_of(request), await read_form(request)
    until, reason = _read_until(form, services.now()), _read_reason(form)
    longer = timedelta() if until else _read_duration(form)
    back = CaseKey.read(form.one("case")).path if form.one("case") else ""
    block = await _find(request)
    until = until or block.expires_at + longer
    try:
        await services.blocks.extend(block.id, until, visitor_of(request).actor, reason)
    except UpdateRefused as error:
        raise Conflict(f"The block was not extended: {error}.") from error
    return RedirectResponse(back or build_path(block), HTTPStatus.SEE_OTHER)


async def lift_block(request: Request) -> Response:
    """Remove a block now, whoever claims it."""
    services, form = services_of(request), await read_form(request)
    reason = _read_reason(form)
    block = await _find(request)
    try:
        removal = await services.blocks.lift(
            block.id, visitor_of(request).actor, reason, _LIFT_PATIENCE
        )
    except UpdateRefused as error:
        raise Conflict(f"The block was not lifted: {error}.") from error
    return RedirectResponse(f"{build_path(block)}?said={removal}", HTTPStatus.SEE_OTHER)


def build_path(block: ActiveBlock) -> str:
    """Return the path of a block's page."""
    return f"/ops/blocks/{block.id}"


async def _find(request: Request) -> ActiveBlock:
    id_ = request.path_params["id"]
    try:
        return await services_of(request).blocks.read(id_)
    except NoSuchWorkflow:
        raise _no_block(id_) from None
    except UpdateRefused as error:
        raise Conflict(f"{error}.") from error


def _no_block(id_: str) -> NoSuchObject:
    return NoSuchObject(
        f"clawback has no block {show_mail_text(id_)}. Blocks lists those that stand."
    )


def _read_reason(form: Form) -> str:
    reason = bounded(form.one("reason"), _LONGEST_REASON)
    if not reason:
        raise BadRequest("reason: say why; it is recorded in the audit")
    return reason


def _read_until(form: Form, now: datetime) -> datetime | None:
    """Read the end that a form asks for; None if it asks for a duration."""
    if not (text := form.one("until")):
        return None
    until = parse_time(text)
    if until is None or until - now > 2 * _LONGEST_EXTENSION:
        raise BadRequest("until: give a time of the next two years; load the page again")
    return until


def _read_duration(form: Form) -> timedelta:
    try:
        longer = parse_duration(form.one("for"))
    except ValueError as error:
        raise BadRequest(f"for: {error}") from None
    if not timedelta() < longer <= _LONGEST_EXTENSION:
        raise BadRequest(f"for: give at most {_LONGEST_EXTENSION.days} days, such as 30d")
    return longer


BLOCK_PAGES: Final = (
    Page("/ops/blocks", show_blocks, Role.VIEWER),
    Page("/ops/blocks/{id}", show_block, Role.VIEWER),
    Page(
        "/ops/blocks/{id}/extend",
        extend_block,
        Verb.EXTEND_BLOCK.role,
        RateClass.DECISION,
        methods=("POST",),
    ),
    Page(
        "/ops/blocks/{id}/lift",
        lift_block,
        Verb.LIFT_BLOCK.role,
        RateClass.DECISION,
        methods=("POST",),
    ),
)
