"""The ASGI application of the console: routes, the gate in front of each, errors as pages."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from temporalio.service import RPCError

from clawback.console.errors import ConsoleError, Unavailable
from clawback.console.framing import render_page
from clawback.console.page_routes import Page
from clawback.console.pages import PAGES
from clawback.console.security_headers import SecurityHeaders
from clawback.console.services import Services, services_of
from clawback.console.who import Gate
from clawback.temporal.workflow_calls import NoWorkerAnswered, QueryFailed

log = structlog.get_logger("clawback")
_UNANSWERED: Final = (RPCError, QueryFailed, NoWorkerAnswered)


@dataclass(frozen=True)
class ErrorView:
    """What an error page shows."""

    title: str
    detail: str
    remedy: str
    request_id: str
    retry: str


def build_app(
    services: Services,
    gate: Gate,
    pages: Sequence[Page] = PAGES,
    others: Sequence[BaseRoute] = (),
) -> Starlette:
    """Build the application; `others` are routes that have gates of their own."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(services.read_model.running())
            await stack.enter_async_context(services.containment.running())
            yield
            services.closing.set()

    routes: list[BaseRoute] = [
        Route("/static/{digest}/{name}", services.files.serve),
        Route("/healthz", _report_health),
        *others,
        *(_route(page, gate) for page in pages),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={
            ConsoleError: _show_error,
            HTTPException: _show_error,
            **dict.fromkeys(_UNANSWERED, _show_error),
            Exception: _show_defect,
        },
        lifespan=lifespan,
    )
    app.state.services = services
    return app


def _route(page: Page, gate: Gate) -> Route:
    async def guarded(request: Request) -> Response:
        request.state.visitor = None
        admitted = await gate.admit(request, page)
        if isinstance(admitted, Response):
            return admitted
        request.state.visitor = admitted
        return await page.handler(request)

    return Route(page.path, guarded, methods=list(page.methods))


async def _report_health(request: Request) -> Response:
    """Answer a load balancer: whether cases can be read."""
    problem = services_of(request).read_model.problem
    status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
    return PlainTextResponse(f"{problem or 'ok'}\n", status)


async def _show_error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        title = HTTPStatus(error.status_code).phrase
        return _error_page(request, error.status_code, title, "There is no such page.", "")

    if not isinstance(error, ConsoleError):
        error = Unavailable("The workers or the Temporal server do not answer now.")
    remedy = ""
    if isinstance(error, Unavailable):
        remedy = "Lists still show the last known state. Nothing was decided by this request."
    return _error_page(request, error.status, error.title, str(error), remedy)


async def _show_defect(request: Request, error: Exception) -> Response:
    request_id = secrets.token_hex(4)
    log.error("console.request_failed", request_id=request_id, exc_info=error)
    detail = "This is a defect of clawback. The log has more under the number of the request."
    return _error_page(request, 500, "This page failed", detail, "", request_id)


def _error_page(  # noqa: PLR0913, PLR0917 - what an error page shows
    request: Request, status: int, title: str, detail: str, remedy: str, request_id: str = ""
) -> Response:
    view = ErrorView(
        title=title,
        detail=detail,
        remedy=remedy,
        request_id=request_id or secrets.token_hex(4),
        retry=request.url.path,
    )
    return render_page(request, "error", view, title=title, status=status)
