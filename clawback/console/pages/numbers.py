"""`/numbers`: what clawback did in a period. `/numbers/report`: the same as one page for paper."""

from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from clawback.console.errors import BadRequest, Unavailable
from clawback.console.framing import render_page
from clawback.console.page_routes import Page
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import services_of, visitor_of
from clawback.console.views.numbers import build_numbers
from clawback.model.durations import format_duration, parse_duration
from clawback.model.identity import Role
from clawback.reports.report import Report
from clawback.reports.report_page import report_policy, write_report_page

_DEFAULT: Final = timedelta(days=7)
_LONGEST: Final = timedelta(days=365)


async def show_numbers(request: Request) -> Response:
    """Show the numbers of a period that ends now."""
    since = _read_since(request)
    services, visitor = services_of(request), visitor_of(request)
    report = await _read_report(request, since)
    zone = Preferences.of(request).zone
    view = build_numbers(
        report,
        services.read_model.cases,
        since=since,
        zone=zone,
        may_see_people=visitor.may(Role.ANALYST),
    )
    return render_page(
        request,
        "numbers",
        view,
        title="Numbers",
        has_charts=True,
        command=f"clawback report --since {format_duration(since)}",
    )


async def show_report(request: Request) -> Response:
    """Show the report as one page that loads nothing, as `clawback report --html` writes it."""
    report = await _read_report(request, _read_since(request))
    headers = {"Content-Security-Policy": f"{report_policy()}; frame-ancestors 'none'"}
    return HTMLResponse(write_report_page(report), headers=headers)


async def _read_report(request: Request, since: timedelta) -> Report:
    try:
        return await services_of(request).reports.read(since)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Unavailable(f"The audit on this machine cannot be read: {why}.") from error


def _read_since(request: Request) -> timedelta:
    query = read_query(request, frozenset({"since"}))
    if "since" not in query:
        return _DEFAULT
    try:
        since = parse_duration(query["since"])
    except ValueError as error:
        raise BadRequest(f"since: {error}") from None
    if not timedelta() < since <= _LONGEST:
        raise BadRequest(f"since: give at most {_LONGEST.days} days, such as 7d")
    return since


NUMBER_PAGES: Final = (
    Page("/numbers", show_numbers, Role.VIEWER),
    Page("/numbers/report", show_report, Role.ANALYST),
)
