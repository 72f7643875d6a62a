"""`/healthz`, `/livez` and `/readyz`: what load balancers and orchestrators ask for."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from clawback.console.services import services_of


async def _report_health(request: Request) -> Response:
    """Answer whether cases can be read now, and no background task fails."""
    services = services_of(request)
    problems = (services.read_model.problem, services.tasks())
    return _answer("; ".join(problem for problem in problems if problem))


async def _report_alive(_: Request) -> Response:
    """Answer whether the process runs, whatever Temporal does."""
    return _answer("")


async def _report_ready(request: Request) -> Response:
    """Answer whether cases were read once.

    When Temporal does not answer later, pages show the last known state and say so.
    """
    is_ready = services_of(request).read_model.read_at is not None
    return _answer("" if is_ready else "no case was read yet")


def _answer(problem: str) -> Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
    return PlainTextResponse(f"{problem or 'ok'}\n", status)


PROBES = (
    Route("/healthz", _report_health),
    Route("/livez", _report_alive),
    Route("/readyz", _report_ready),
)
