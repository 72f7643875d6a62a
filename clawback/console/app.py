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
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from temporalio.service import RPCError

from clawback.console.access.local_paths import INBOX, with_next
from clawback.console.access.refusals import FreshSignInNeeded, Refusal, SignInNeeded
from clawback.console.access.request_guard import RequestGuard
from clawback.console.access.site import Site
from clawback.console.access.view_log import ViewedObject
from clawback.console.access.who import Gate
from clawback.console.error_answers import answer_error, is_for_htmx, is_for_program
from clawback.console.errors import ConsoleError, Unavailable
from clawback.console.framing import render_page
from clawback.console.page_routes import Page, ViewAudit
from clawback.console.pages import PAGES
from clawback.console.probes import PROBES
from clawback.console.security_headers import SecurityHeaders
from clawback.console.services import Services, services_of
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
    site: Site | None = None,
) -> Starlette:
    """Build the application; `others` are routes that have gates of their own.

    `site` is where people reach it: requests for any other host, and changes that come from the
    pages of others, are refused.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(services.read_model.running(services.tasks))
            await stack.enter_async_context(services.containment.running(services.tasks))
            await stack.enter_async_context(services.rules.running())
            await stack.enter_async_context(services.stops.running())
            await stack.enter_async_context(services.undos.running(services.tasks))
            await stack.enter_async_context(services.undo_record.running(services.tasks))
            await stack.enter_async_context(services.backtests.running())
            yield
            services.closing.set()

    routes: list[BaseRoute] = [
        Route("/static/{digest}/{name}", services.files.serve),
        *PROBES,
        *others,
        *(_route(page, gate) for page in pages),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders), *_guard(site)],
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


def _guard(site: Site | None) -> list[Middleware]:
    return [] if site is None else [Middleware(RequestGuard, site)]


def _route(page: Page, gate: Gate) -> Route:
    async def guarded(request: Request) -> Response:
        request.state.visitor = None
        admitted = await gate.admit(request, page)
        if isinstance(admitted, Response):
            return admitted
        request.state.visitor = admitted
        response = await page.handler(request)
        # Before the answer leaves: what cannot be recorded is not shown.
        seen: ViewedObject | None = getattr(request.state, "viewed", None)
        if page.audit is ViewAudit.VIEWED and seen is not None and admitted is not None:
            services = services_of(request)
            await services.views.record(admitted, seen, services.now())
        return response

    return Route(page.path, guarded, methods=list(page.methods))


async def _show_error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        title = HTTPStatus(error.status_code).phrase
        return _error_page(request, error.status_code, title, "There is no such page.", "")

    if not isinstance(error, ConsoleError):
        error = Unavailable("The workers or the Temporal server do not answer now.")
    if is_for_htmx(request) or is_for_program(request):
        return answer_error(request, error)
    if isinstance(error, SignInNeeded | FreshSignInNeeded):
        return _answer_sign_in(request, error)

    heading = error.heading if isinstance(error, Refusal) else error.title
    remedy = ""
    if isinstance(error, Unavailable):
        remedy = "Lists still show the last known state. Nothing was decided by this request."
    response = _error_page(request, error.status, heading, str(error), remedy)
    response.headers.update(error.headers)
    return response


def _answer_sign_in(request: Request, error: SignInNeeded | FreshSignInNeeded) -> Response:
    """Say that what was sent is not lost: after signing in, the browser can send it again."""
    fresh = {"fresh": "1"} if isinstance(error, FreshSignInNeeded) else {}
    request.state.visitor = None
    view = ErrorView(
        title=error.heading,
        detail=str(error),
        remedy="Sign in in a new tab, then come back to this one and send the form again.",
        request_id=secrets.token_hex(4),
        retry=with_next("/sign-in", INBOX, **fresh),
    )
    response = render_page(request, "error", view, title=error.heading, status=error.status)
    response.headers.update(error.headers)
    return response


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
