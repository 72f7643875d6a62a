"""`/ops/sessions`: end the sessions of a person, and see whose were ended."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.console.errors import BadRequest, Conflict
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.forms import read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import services_of, visitor_of
from clawback.console.views.mail_text import show_rule_text
from clawback.console.views.times import ShownTime, show_time
from clawback.identity.access_list import LONGEST_WHO
from clawback.model.identity import Role
from clawback.model.orders import Verb
from clawback.model.texts import bounded
from clawback.temporal.access_gateway import AccessGateway
from clawback.temporal.workflow_calls import UpdateRefused

PATH: Final = "/ops/sessions"
_LONGEST_REASON: Final = 500


@dataclass(frozen=True)
class RevokedRow:
    """A person whose sessions were ended."""

    who: str
    at: ShownTime
    by: str
    reason: str


@dataclass(frozen=True)
class SessionsView:
    """The form, and the people of the last day."""

    path: str
    rows: tuple[RevokedRow, ...]


async def show_sessions(request: Request) -> Response:
    """Show whose sessions were ended in the last day."""
    read_query(request, frozenset())
    services, zone = services_of(request), Preferences.of(request).zone
    found = await AccessGateway(services.client).look()
    people = found.snapshot.people if found else ()
    rows = tuple(
        RevokedRow(
            who=show_rule_text(one.who),
            at=show_time(one.at, services.now(), zone),
            by=show_rule_text(one.by),
            reason=show_rule_text(one.reason),
        )
        for one in reversed(people)
    )
    view, command = SessionsView(PATH, rows), "clawback sessions revoke NAME"
    return render_page(request, "sessions", view, title="Sessions", command=command)


async def revoke_sessions(request: Request) -> Response:
    """End all sessions that a person has now; one's own too, if that is the person."""
    services, form = services_of(request), await read_form(request)
    who, reason = form.one("who").strip(), bounded(form.one("reason"), _LONGEST_REASON)
    if not who or len(who) > LONGEST_WHO:
        raise BadRequest("who: give a name, a subject or an id, as the audit has it")
    if not reason:
        raise BadRequest("reason: say why; it is recorded in the audit")
    try:
        await AccessGateway(services.client).revoke_person(who, visitor_of(request).actor, reason)
    except UpdateRefused as error:
        raise Conflict(f"Nothing was revoked: {error}.") from error
    await services.access.read()
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


SESSION_PAGES: Final = (
    Page(PATH, show_sessions, Role.OPERATOR),
    Page(
        f"{PATH}/revoke",
        revoke_sessions,
        Verb.REVOKE_PERSON.role,
        RateClass.DECISION,
        methods=("POST",),
    ),
)
