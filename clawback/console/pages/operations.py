"""`/ops`: pollers, budgets, queues, guard, versions. `POST /ops/doctor`: run the health checks."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from clawback.console.errors import Unavailable
from clawback.console.framing import render_page
from clawback.console.jobs.child_job import JobFailed, run_in_child
from clawback.console.jobs.rule_jobs import DOCTOR_LIMITS, check_health
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import services_of, visitor_of
from clawback.console.views.operations import build_doctor, build_operations
from clawback.console.views.times import format_absolute
from clawback.model.identity import Role


async def show_operations(request: Request) -> Response:
    """Show whether mail is read and work is done."""
    read_query(request, frozenset())
    zone = Preferences.of(request).zone
    reading = await services_of(request).operations.read()
    may_check = visitor_of(request).may(Role.OPERATOR)
    view = build_operations(reading, zone, may_check=may_check)
    return render_page(
        request,
        "operations",
        view,
        title="Operations",
        command="clawback poll status; clawback doctor",
    )


async def run_doctor(request: Request) -> Response:
    """Run the health checks of the installation, as the machine of the console sees it."""
    try:
        view = build_doctor(await run_in_child(DOCTOR_LIMITS, check_health))
    except JobFailed as error:
        raise Unavailable(f"The health checks did not come to an end: {error}.") from None
    now = services_of(request).now()
    return render_page(
        request,
        "doctor",
        view,
        title="Doctor",
        as_of=format_absolute(now, Preferences.of(request).zone),
        command="clawback doctor",
    )


OPERATIONS_PAGES: Final = (
    Page("/ops", show_operations, Role.VIEWER),
    Page("/ops/doctor", run_doctor, Role.OPERATOR, RateClass.COSTLY, methods=("POST",)),
)
