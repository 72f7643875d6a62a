"""Everything that an operation can answer instead of its result, as problem details (RFC 9457).

Refusal                  see `clawback.console.access.refusals`
└─ Problem
   ├─ BadRequest         400: an unknown parameter, a malformed header or body
   ├─ InvalidInput       422: a value is wrong; `errors` names each place
   ├─ NotFound           404
   ├─ Changed            409: what somebody decides about has changed, or is decided
   ├─ ConditionFailed    412: `If-Match` names another version
   ├─ WrongMediaType     415
   ├─ PersonNeeded       403: no API token may do this
   └─ Unavailable        503: the server or the workers do not answer
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from clawback.console.access.refusals import Refusal
from clawback.model.texts import bounded

MEDIA_TYPE = "application/problem+json"
_LONGEST = 500
_MOST_ERRORS = 20


class InputError(BaseModel):
    """One wrong value: where it is, and what is wrong."""

    place: str = Field(description="`query.limit`, `body.digest`, `header.If-Match`")
    detail: str


class ProblemDetails(BaseModel):
    """Why a request was not answered as asked (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str = Field(description="What the status means")
    status: int
    detail: str = Field(description="What is wrong, and what to do")
    errors: list[InputError] | None = Field(default=None, description="The wrong values, of a 422")


class Problem(Refusal):
    """A request is not answered as asked. `more` are further members of the answer."""

    def __init__(self, detail: str, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(bounded(detail, _LONGEST))
        self.more = dict(more or {})


class BadRequest(Problem):
    """The request itself cannot be understood."""

    status = HTTPStatus.BAD_REQUEST


class NotFound(Problem):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class Changed(Problem):
    """What somebody decides about has changed, is decided, or is not open any more."""

    status = HTTPStatus.CONFLICT


class ConditionFailed(Problem):
    """`If-Match` names another version than the current one."""

    status = HTTPStatus.PRECONDITION_FAILED


class WrongMediaType(Problem):
    """The body is not JSON."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class PersonNeeded(Problem):
    """Only people may do this."""

    status = HTTPStatus.FORBIDDEN


class Unavailable(Problem):
    """The server or the workers do not answer; nothing is known about the request."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Retry-After": "5"}  # noqa: RUF012 - frozen by Mapping


class InvalidInput(Problem):
    """Values are wrong."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, errors: Sequence[InputError]) -> None:
        shown = list(errors)[:_MOST_ERRORS]
        first = f"{shown[0].place}: {shown[0].detail}"
        super().__init__(first, {"errors": [one.model_dump() for one in shown]})

    @classmethod
    def of(cls, error: ValidationError, where: str) -> "InvalidInput":
        """Name the place and the problem of each wrong value, never the value itself."""
        return cls(
            [
                InputError(
                    place=".".join((where, *map(str, one["loc"]))), detail=bounded(one["msg"], 200)
                )
                for one in error.errors(include_url=False, include_context=False)
            ]
        )


def answer_problem(error: Refusal) -> Response:
    """Render a refusal as problem details."""
    more = error.more if isinstance(error, Problem) else {}
    details = ProblemDetails(title=error.title, status=error.status, detail=error.detail, **more)
    return Response(
        details.model_dump_json(exclude_none=True),
        status_code=error.status,
        headers={"Cache-Control": "no-store", **error.headers},
        media_type=MEDIA_TYPE,
    )
