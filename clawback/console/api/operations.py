"""What an operation declares, and what its handler gets."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel

from clawback.console.api.api_services import ApiServices
from clawback.console.api.parameters import NoParameters
from clawback.model.identity import Actor, Role


@dataclass(frozen=True)
class Call:
    """One request, parsed and admitted.

    `query` and `body` are of the models that the operation declares. `nonce` is the same for each
    repeat of a request under one `Idempotency-Key`, None without one. `if_match` is that header;
    `require_version` checks it.
    """

    services: ApiServices
    actor: Actor
    path: Mapping[str, str] = field(default_factory=dict)
    query: Any = None
    body: Any = None
    nonce: str | None = None
    if_match: str | None = None


@dataclass(frozen=True)
class Reply:
    """What an operation answers; `status` 200 unless it says otherwise."""

    content: BaseModel
    status: HTTPStatus = HTTPStatus.OK


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True)
class Operation:
    """One operation of the API: its route, its part of the OpenAPI document, and its handler.

    `path` is below `/api/v1`; `{id}` in it is a case. `role` is what it takes, None for everybody
    who is signed in. `errors` are its own, beside those that all operations share.
    """

    method: str
    path: str
    name: str
    summary: str
    answer: type[BaseModel]
    handler: Handler
    role: Role | None = Role.VIEWER
    query: type[BaseModel] = NoParameters
    body: type[BaseModel] | None = None
    errors: tuple[HTTPStatus, ...] = ()
    for_people: bool = False
    has_version: bool = False

    @property
    def is_change(self) -> bool:
        """Whether it changes something, so that it takes `Idempotency-Key`."""
        return self.method == "POST"


SHARED_ERRORS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What every operation may answer."""
BODY_ERRORS: Final = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
"""What every operation with a body may answer."""
