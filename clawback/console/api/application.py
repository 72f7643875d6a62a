"""The ASGI application of the API: routes from the operations, and the one way into each."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import structlog
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from temporalio.service import RPCError

from clawback.console.access.gate import require_fresh
from clawback.console.access.refusals import Refusal, RequestRefused, RoleNeeded, SignInNeeded
from clawback.console.access.request_guard import BODY_SECONDS, read_body
from clawback.console.access.request_limits import RateLimiter
from clawback.console.access.who import Visitor
from clawback.console.api.api_services import ApiServices
from clawback.console.api.idempotency import Repeats, make_nonce, read_key
from clawback.console.api.openapi import PATH_PARAMETERS, ROOT, build_document
from clawback.console.api.operation_list import OPERATIONS
from clawback.console.api.operations import Call, Operation, Reply
from clawback.console.api.problems import (
    BadRequest,
    InvalidInput,
    PersonNeeded,
    Problem,
    Unavailable,
    WrongMediaType,
    answer_problem,
)
from clawback.console.api.versions import matches, version_of
from clawback.model.identity import Actor, Identity
from clawback.model.suggestions import nearest
from clawback.temporal.key_ring import PayloadKeyError
from clawback.temporal.workflow_calls import NoWorkerAnswered, QueryFailed, WorkflowFailed

log = structlog.get_logger("clawback")
SessionReader = Callable[[Request], Awaitable[Visitor | None]]
_JSON: Final = "application/json"
_UNANSWERED: Final = (RPCError, QueryFailed, NoWorkerAnswered, WorkflowFailed, PayloadKeyError)
_TOKEN_TRIES: Final = 60
"""Wrong tokens of one address in a minute."""
_READS: Final = 1_200
_DECISIONS: Final = 60
"""Requests of one person or token in a minute."""


async def no_session(_: Request) -> Visitor | None:
    """Take no session: only tokens count."""
    return None


@dataclass
class ApiGate:
    """Says who sends a request, and whether they may: a token, or else a session.

    With `Authorization` a cookie is ignored, so a page of another site cannot make use of it.
    """

    services: ApiServices
    read_session: SessionReader = no_session
    tries: RateLimiter = field(default_factory=lambda: RateLimiter("wrong tokens", _TOKEN_TRIES))
    reads: RateLimiter = field(default_factory=lambda: RateLimiter("requests", _READS))
    decisions: RateLimiter = field(default_factory=lambda: RateLimiter("decisions", _DECISIONS))

    async def admit(self, request: Request, operation: Operation) -> Actor:
        """Return who sends a request.

        Raises:
            Refusal: nobody we know, or somebody who may not do this, or too often.

        """
        visitor = None
        if "authorization" not in request.headers:
            visitor = await self._require_session(request)
        identity = visitor.identity if visitor else await self._require_token(request)

        if operation.role is not None and not identity.may(operation.role):
            raise RoleNeeded(identity, operation.role)
        if operation.for_people:
            if visitor is None:
                raise PersonNeeded("No API token may do this: sign in, and do it in person.")
            require_fresh(visitor, datetime.now(UTC))
        (self.decisions if operation.is_change else self.reads).count(identity.person)
        return Actor(identity=identity)

    async def _require_session(self, request: Request) -> Visitor:
        if (visitor := await self.read_session(request)) is None:
            raise SignInNeeded("Send a token: `Authorization: Bearer clawback_…`.")
        return visitor

    async def _require_token(self, request: Request) -> Identity:
        headers = request.headers.getlist("authorization")
        scheme, _, secret = headers[0].partition(" ")
        is_bearer = len(headers) == 1 and scheme.lower() == "bearer"
        identity = await self.services.access.identify(secret.strip()) if is_bearer else None
        if identity is None:
            self.tries.count(request.client.host if request.client else "")
            raise SignInNeeded("The token is unknown, revoked or expired.")
        return identity


def build_api(services: ApiServices, read_session: SessionReader = no_session) -> Mount:
    """Build the routes of the API; `read_session` says whose session a request has."""
    gate, repeats = ApiGate(services, read_session), Repeats()
    routes: list[BaseRoute] = [_route(one, services, gate, repeats) for one in OPERATIONS]
    routes.append(Route("/openapi.json", _show_document))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _answer_http_error})
    return Mount(ROOT, app=app)


def _route(operation: Operation, services: ApiServices, gate: ApiGate, repeats: Repeats) -> Route:
    async def answer(request: Request) -> Response:
        try:
            return await _answer(request, operation, services, gate, repeats)
        except Refusal as error:
            return answer_problem(error)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except (*_UNANSWERED, TimeoutError) as error:
            log.warning("console.api_unanswered", error=error, operation=operation.name)
            detail = "The Temporal server or the workers do not answer now; try again."
            return answer_problem(Unavailable(detail))
        except Exception as error:  # noqa: BLE001 - a defect is an answer too
            return _answer_defect(error, operation)

    return Route(_with_convertors(operation.path), answer, methods=[operation.method])


async def _answer(
    request: Request, operation: Operation, services: ApiServices, gate: ApiGate, repeats: Repeats
) -> Response:
    actor = await gate.admit(request, operation)
    query = _parse_query(request, operation.query)
    body = b""
    if operation.body is not None:
        _require_json(request)
        body = await read_body(request.headers, request.receive, BODY_SECONDS)
    key = read_key(request.headers.get("idempotency-key")) if operation.is_change else None
    path = request.url.path
    call = Call(
        services=services,
        actor=actor,
        path=request.path_params,
        query=query,
        body=_parse_body(body, operation.body),
        nonce=make_nonce(actor.identity, path, key) if key else None,
        if_match=request.headers.get("if-match"),
    )

    async def carry_out() -> Response:
        try:
            return _render(request, operation, await operation.handler(call))
        except Refusal as error:
            return answer_problem(error)

    return await repeats.answer(call.nonce, body, carry_out) if call.nonce else await carry_out()


def _parse_query(request: Request, model: type[BaseModel]) -> BaseModel:
    """Parse the parameters of a URL; an unknown one is an error, so no filter is lost silently.

    Raises:
        BadRequest: one is unknown or repeated.
        InvalidInput: one has a wrong value.

    """
    known = list(model.model_fields)
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean `{near}`?" if near else f"known: {', '.join(known) or 'none'}"
            raise BadRequest(f"unknown parameter `{name[:50]}`; {hint}")
        if name in found:
            raise BadRequest(f"the parameter `{name}` is there twice")
        found[name] = value
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise InvalidInput.of(error, "query") from None


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise WrongMediaType(f"Send the body as {_JSON}.")


def _parse_body(body: bytes, model: type[BaseModel] | None) -> Any:
    if model is None:
        return None
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] == "json_invalid":
            raise BadRequest("The body is not valid JSON.") from None
        raise InvalidInput.of(error, "body") from None


def _render(request: Request, operation: Operation, reply: Reply) -> Response:
    content = reply.content.model_dump_json().encode("utf-8", "replace")
    headers = {"Cache-Control": "no-store"}
    if operation.has_version:
        headers = {"Cache-Control": "private, no-cache", "ETag": version_of(content)}
        if matches(request.headers.get("if-none-match"), headers["ETag"]):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, reply.status, headers, media_type=_JSON)


def _answer_defect(error: Exception, operation: Operation) -> Response:
    number = secrets.token_hex(4)
    log.error("console.api_failed", request=number, error=error, operation=operation.name)
    problem = Problem("This is a defect of clawback; its log has more.", {"request": number})
    problem.status = HTTPStatus.INTERNAL_SERVER_ERROR
    return answer_problem(problem)


async def _answer_http_error(_: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus(500)
    texts = {
        HTTPStatus.NOT_FOUND: f"There is no such operation or case: see {ROOT}/openapi.json.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This path takes another method: see `Allow`.",
    }
    refused = RequestRefused(status, texts.get(status, status.phrase))
    refused.headers = getattr(error, "headers", None) or {}
    return answer_problem(refused)


async def _show_document(_: Request) -> Response:
    return JSONResponse(build_document())


def _with_convertors(path: str) -> str:
    for name in PATH_PARAMETERS:
        path = path.replace(f"{{{name}}}", f"{{{name}:clawback_{name}}}")
    return path


class _Segment(Convertor[str]):
    """A parameter of a path that is of one pattern; a path with another one does not exist."""

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


for _name, (_pattern, _) in PATH_PARAMETERS.items():
    _kind = type(f"_{_name.title()}Segment", (_Segment,), {"regex": _pattern})
    register_url_convertor(f"clawback_{_name}", _kind())
