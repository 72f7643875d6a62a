"""`/review`: decide an explicit list of held cases, each under the digest that was shown."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from temporalio.service import RPCError

from clawback.case_files.held_cases import read_held_named
from clawback.cases import CaseState
from clawback.cases.bulk import HeldSelection
from clawback.cases.notes import AssignTo
from clawback.console.access.who import Visitor
from clawback.console.bulk_decisions import (
    Comparison,
    Decided,
    compare_cases,
    decide_cases,
    read_as_compared,
)
from clawback.console.errors import BadRequest
from clawback.console.framing import render_page
from clawback.console.own_answers import PAST, show_assignment, show_decision
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.case_keys import CaseKey, read_keys
from clawback.console.requests.forms import Form, read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import Services, services_of, visitor_of
from clawback.console.sources.read_model import ListedCase
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.review import (
    BudgetFacts,
    ResultLine,
    build_result,
    build_review,
    describe_budgets,
    describe_decided,
)
from clawback.guard import GuardSnapshot
from clawback.model.identity import Role
from clawback.model.orders import Verb
from clawback.temporal.fan_out import call_each
from clawback.temporal.workflow_calls import QueryFailed

MOST_WITHOUT_SIGN_IN: Final = 500
"""Messages that a bulk decision may move unless the person has just proved who they are."""
_GUARD_PATIENCE: Final = 2.0
_CASE: Final = frozenset({"case"})


@dataclass(frozen=True)
class _Sent:
    """A decision was sent to every case; what became of each, by id."""

    decided: Mapping[str, Decided]


@dataclass(frozen=True)
class _NotSent:
    """Nothing was sent, and why."""

    comparison: Comparison
    selection: HeldSelection
    why: str


async def show_review(request: Request) -> Response:
    """Show the cases that the URL names, as they are now."""
    read_query(request, frozenset(), _CASE)
    keys = read_keys(request.query_params.getlist("case"))
    services = services_of(request)
    selection = await read_held_named(services.cases, [key.id for key in keys])
    return await _render(request, keys, selection)


async def approve_selected(request: Request) -> Response:
    """Approve every case of a form, if all are as they were shown."""
    return await _decide(request, Verb.APPROVE)


async def deny_selected(request: Request) -> Response:
    """Deny every case of a form, if all are as they were shown; the reason is required."""
    return await _decide(request, Verb.DENY)


async def _decide(request: Request, verb: Verb) -> Response:
    services, visitor = services_of(request), visitor_of(request)
    form = await read_form(request)
    shown = _read_shown(form)
    keys, reason, form_key = tuple(shown), form.one("reason"), form.one("key")
    if not form_key:
        raise BadRequest("key: the form has none; load the page again")
    problem = ""
    if verb is Verb.DENY and not reason:
        problem = "Nothing was sent: give a reason to deny. It is recorded, and people see it."

    async def decide() -> _Sent | _NotSent:
        comparison = await compare_cases(services.cases, {k.id: d for k, d in shown.items()})
        selection = await read_as_compared(services.cases, keys, comparison.current)
        if (why := problem or _find_problem(comparison, selection, visitor, services)) != "":
            return _NotSent(comparison, selection, why)

        decided = await decide_cases(
            services.cases,
            verb,
            visitor.actor,
            comparison.digests,
            reason=reason,
            key=form_key,
        )
        for case in _known(services, keys).values():
            show_decision(services, case, verb, decided[case.id].state, visitor, reason)
        return _Sent(decided)

    done = await services.once.run(f"{visitor.identity.person} {verb} {form_key}", decide)
    if isinstance(done, _NotSent):
        return await _render(request, keys, done.selection, done, reason)
    return _render_result(request, keys, done.decided, verb)


async def assign_selected(request: Request) -> Response:
    """Assign the cases of a form to whoever sends it; a closed one does not stop the others."""
    services, visitor = services_of(request), visitor_of(request)
    form = await read_form(request)
    keys = read_keys(form.every("case"))

    async def assign(case_id: str) -> str:
        return await services.cases.assign(case_id, visitor.actor, AssignTo(is_self=True))

    answers = await call_each(assign, [key.id for key in keys])
    known = _known(services, keys)
    for case_id, name in answers.given.items():
        show_assignment(services, known.get(case_id), name, visitor)
    if not answers.errors:
        return RedirectResponse("/?assignee=me", HTTPStatus.SEE_OTHER)

    lines = [
        _assigned_line(key, known.get(key.id), answers.unanswered.get(key.id, "")) for key in keys
    ]
    heading = f"Assigned {len(answers.given):,} of {len(keys):,} to you"
    return render_page(request, "review_result", build_result(heading, lines, []), title=heading)


def _assigned_line(key: CaseKey, case: ListedCase | None, why: str) -> ResultLine:
    subject = show_mail_text(case.subject if case else "") or "(no subject)"
    path = case.path if case else key.path
    outcome, kind = (show_mail_text(why), "not assigned") if why else ("yours", "assigned")
    return ResultLine(key.short_id, path, key.rule, subject, outcome, kind)


def _read_shown(form: Form) -> Mapping[CaseKey, str]:
    """Read which cases a form shows, each with the digest under which it was shown."""
    digests: dict[CaseKey, str] = {}
    for text in form.every("shown"):
        name, separator, digest = text.partition("=")
        if not separator or not digest:
            raise BadRequest("shown: give rule/hash=digest for each case; load the page again")
        digests[CaseKey.read(name)] = digest
    read_keys(map(str, digests))
    return digests


def _find_problem(
    comparison: Comparison, selection: HeldSelection, visitor: Visitor, services: Services
) -> str:
    """Say why nothing is sent; empty if everything may be."""
    if selection.not_held:
        return "Nothing was sent: some of these cases do not wait for a decision any more."
    if comparison.differences:
        return "Nothing was sent: some of these cases are not as they were shown. Look again."
    if _needs_sign_in(selection, visitor, services):
        return "Nothing was sent: sign in again first."
    return ""


def _needs_sign_in(selection: HeldSelection, visitor: Visitor, services: Services) -> bool:
    is_large = selection.messages > MOST_WITHOUT_SIGN_IN
    return is_large and not visitor.is_fresh(services.now())


async def _render(
    request: Request,
    keys: tuple[CaseKey, ...],
    selection: HeldSelection,
    not_sent: _NotSent | None = None,
    reason: str = "",
) -> Response:
    services, now = services_of(request), services_of(request).now()
    facts = BudgetFacts(
        await _read_guard(services),
        await services.limits.budgets(),
        services.rules.known_facts,
    )
    known = _known(services, keys)
    sign_in = ""
    if _needs_sign_in(selection, visitor_of(request), services):
        sign_in = (
            f"These are more than {MOST_WITHOUT_SIGN_IN} messages: sign in again to decide them. "
            "Your sign-in must not be older than 15 minutes."
        )
    view = build_review(
        keys,
        selection,
        known,
        now=now,
        zone=Preferences.of(request).zone,
        key=secrets.token_urlsafe(18),
        changed=not_sent.comparison.differences if not_sent else None,
        problem=not_sent.why if not_sent else "",
        reason=reason,
        budgets=tuple(describe_budgets(facts, selection, now)),
        needs_sign_in=sign_in,
    )
    status = HTTPStatus.CONFLICT if not_sent else HTTPStatus.OK
    ids = " ".join(key.short_id for key in keys[:3]) + (" …" if len(keys) > 3 else "")  # noqa: PLR2004
    return render_page(
        request,
        "review",
        view,
        title=f"Review {view.heading}",
        status=status,
        command=f"clawback case approve {ids}",
    )


async def _read_guard(services: Services) -> GuardSnapshot | None:
    """Ask the guard what was spent; the page does without it if it does not answer soon."""
    try:
        async with asyncio.timeout(_GUARD_PATIENCE):
            return await services.guard.status()
    except (TimeoutError, RPCError, QueryFailed):
        return None


def _known(services: Services, keys: tuple[CaseKey, ...]) -> dict[str, ListedCase]:
    found = {key.id: key.find(services.read_model) for key in keys}
    return {case_id: case for case_id, case in found.items() if case is not None}


def _render_result(
    request: Request, keys: tuple[CaseKey, ...], decided: Mapping[str, Decided], verb: Verb
) -> Response:
    services, zone = services_of(request), Preferences.of(request).zone
    known = _known(services, keys)
    lines, held = [], []
    for key in keys:
        outcome, kind = _describe(decided[key.id], verb)
        case = known.get(key.id)
        if kind == "not decided" and case is not None and case.state != CaseState.HELD:
            outcome = describe_decided(case, case.state, zone)
        if kind != PAST[verb]:
            held.append(key)
        subject = show_mail_text(case.subject if case else "") or "(no subject)"
        path = case.path if case else key.path
        lines.append(ResultLine(key.short_id, path, key.rule, subject, outcome, kind))

    done = sum(line.kind == PAST[verb] for line in lines)
    heading = f"{PAST[verb].capitalize()} {done:,} of {len(lines):,}"
    return render_page(request, "review_result", build_result(heading, lines, held), title=heading)


def _describe(decided: Decided, verb: Verb) -> tuple[str, str]:
    """Say what became of one case, in words and as one of a few kinds."""
    if decided.is_unknown:
        why = show_mail_text(decided.error)
        return f"no answer: it is not known whether it counts. {why}", "unknown"
    if decided.error:
        return show_mail_text(decided.error), "not decided"
    if decided.state == CaseState.HELD:
        return (
            "your approval counts; a second person must approve too",
            "waiting for a second person",
        )
    return f"{PAST[verb]}; now {decided.state}", PAST[verb]


REVIEW_PAGES: Final = (
    Page("/review", show_review, Role.ANALYST),
    Page("/review/approve", approve_selected, Role.ANALYST, RateClass.DECISION, methods=("POST",)),
    Page("/review/assign", assign_selected, Role.ANALYST, RateClass.DECISION, methods=("POST",)),
    Page("/review/deny", deny_selected, Role.ANALYST, RateClass.DECISION, methods=("POST",)),
)
