"""`/rules/<name>/explain` and `/backtests/<id>`: what rules say about past mail."""

from datetime import timedelta
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.console.errors import BadRequest, NoSuchObject
from clawback.console.framing import render_page
from clawback.console.jobs.backtest_runs import OneAtATime
from clawback.console.jobs.child_job import JobFailed, run_in_child
from clawback.console.jobs.rule_jobs import EXPLAIN_LIMITS, explain_message
from clawback.console.page_routes import Page, RateClass, ViewAudit
from clawback.console.pages.rules import find_rule
from clawback.console.requests.forms import read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import services_of, visitor_of
from clawback.console.views.explanation import build_backtest, build_explanation
from clawback.console.views.rules import rule_path
from clawback.model.durations import parse_duration
from clawback.model.identity import Role

_LONGEST_ID: Final = 200
_LONGEST_SPAN: Final = timedelta(days=14)


async def explain(request: Request) -> Response:
    """Explain the rule for one message, read at Cloudflare with two requests or a few more."""
    query = read_query(request, frozenset({"message"}))
    services = services_of(request)
    _, rule = await find_rule(request)
    name, message = rule.listed.name, query.get("message", "")
    if len(message) > _LONGEST_ID:
        raise BadRequest(f"message: an id has at most {_LONGEST_ID} characters")

    found, problem = None, ""
    if message:
        try:
            found = await run_in_child(
                EXPLAIN_LIMITS, explain_message, services.settings, name, message
            )
        except JobFailed as error:
            problem = str(error)

    view = build_explanation(
        name,
        rule_path(name),
        message,
        found,
        problem=problem,
        now=services.now(),
        zone=Preferences.of(request).zone,
    )
    command = f"clawback rules explain {name} --id ID"
    return render_page(request, "explain", view, title=f"Explain {name}", command=command)


async def start_backtest(request: Request) -> Response:
    """Start a backtest of the rule, and go to its page."""
    services, visitor = services_of(request), visitor_of(request)
    since = _read_span((await read_form(request)).one("since", "1d"))
    _, rule = await find_rule(request)
    identity = visitor.identity
    try:
        run = services.backtests.start(
            rule.listed.name, since, owner="|".join(identity.person), by=identity.label
        )
    except OneAtATime as error:
        run = error.running
    return RedirectResponse(f"/backtests/{run.id}", HTTPStatus.SEE_OTHER)


async def show_backtest(request: Request) -> Response:
    """Show progress or result of a backtest."""
    read_query(request, frozenset())
    services = services_of(request)
    run = services.backtests.find(request.path_params["id"])
    if run is None:
        raise NoSuchObject(
            "This console knows no such backtest. Results are kept for an hour, in the process "
            "that ran it: a console that restarts, or another one, does not have them."
        )
    view = build_backtest(run, rule_path(run.rule), services.now(), Preferences.of(request).zone)
    command = f"clawback rules backtest --since {int(run.since.total_seconds() // 3600)}h"
    return render_page(request, "backtest", view, title=f"Backtest of {run.rule}", command=command)


def _read_span(text: str) -> timedelta:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise BadRequest(f"since: {error}") from None
    if not timedelta() < span <= _LONGEST_SPAN:
        raise BadRequest(f"since: give at most {_LONGEST_SPAN.days} days, such as 7d")
    return span


RULE_JOB_PAGES: Final = (
    Page("/rules/{name}/explain", explain, Role.ANALYST, RateClass.COSTLY, ViewAudit.VIEWED),
    Page(
        "/rules/{name}/backtests",
        start_backtest,
        Role.ANALYST,
        RateClass.COSTLY,
        methods=("POST",),
    ),
    Page("/backtests/{id}", show_backtest, Role.ANALYST),
)
