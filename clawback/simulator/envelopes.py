"""The API's outer shapes: envelopes, both kinds of `result_info`, times, refusals.

Source: reference §1.1 and §3.2.

    Refusal
    └── raised by whatever refuses a request; becomes a failure envelope

The codes of refusals other than 7003 (no route) and 10000 (authentication) are made up: Cloudflare
publishes no catalogue for this API.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

API = "/client/v4"
HOME = API + "/accounts/{account_id}/email-security"
DOCUMENTATION = "https://developers.cloudflare.com/cloudflare-one/email-security/"

NO_ROUTE = 7003
AUTHENTICATION = 10000
INVALID = 10400
NOT_FOUND = 10404
WRONG_METHOD = 10405
DUPLICATE = 10409
RATE_LIMITED = 10429
INTERNAL = 10500

_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Refusal(Exception):
    """A request the API refuses.

    An HTTP status from 400 on, a code of at least 1000 and a message.
    """

    def __init__(self, status: int, code: int, message: str, pointer: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.pointer = pointer


def invalid(message: str, pointer: str | None = None) -> Refusal:
    """A 400: the query or the body is wrong; `pointer` is a JSON pointer to where."""
    return Refusal(400, INVALID, message, pointer)


def not_found(message: str) -> Refusal:
    """A 404 for an id nobody knows."""
    return Refusal(404, NOT_FOUND, message)


def dumps(value: object) -> bytes:
    """JSON as the wire has it: compact, ASCII only, so that broken text survives."""
    return _ENCODER.encode(value).encode()


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z` and microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def succeed(
    result: object, *, status: int = 200, result_info: Mapping[str, Any] | None = None
) -> Response:
    """A success envelope around a result, with `result_info` where the operation has one."""
    return _enveloped(dumps(result), status, result_info)


def succeed_encoded(
    records: Iterable[bytes], *, status: int = 200, result_info: Mapping[str, Any] | None = None
) -> Response:
    """A success envelope around a list of records that are JSON already."""
    return _enveloped(b"[" + b",".join(records) + b"]", status, result_info)


def succeed_one_encoded(record: bytes) -> Response:
    """A success envelope around one record that is JSON already."""
    return _enveloped(record, 200, None)


def fail(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """The failure envelope of a refusal.

    A 403 also points to the documentation, as it has since 2026-08-21.
    """
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.pointer is not None:
        error["source"] = {"pointer": refusal.pointer}
    if refusal.status == 403:  # noqa: PLR2004
        error["documentation_url"] = DOCUMENTATION
    body = {"success": False, "errors": [error], "messages": [], "result": None}
    return Response(dumps(body), refusal.status, headers, "application/json")


def cursor_info(
    count: int, per_page: int, following: str | None, previous: str | None, *, lean: bool
) -> dict[str, Any]:
    """The cursor kind of `result_info`.

    `total_count` and `page` are always 0, and gone in the lean shape.
    """
    info: dict[str, Any] = {
        "count": count,
        "per_page": per_page,
        "next": following,
        "previous": previous,
    }
    return info if lean else info | {"total_count": 0, "page": 0}


def page_info(count: int, page: int, per_page: int, total: int) -> dict[str, Any]:
    """The page kind of `result_info`.

    `total` counts everything there is, whatever was searched for.
    """
    return {"count": count, "page": page, "per_page": per_page, "total_count": total}


async def json_body(request: Request) -> Any:
    """The body as JSON.

    Raises:
        Refusal: it is not JSON.

    """
    try:
        return json.loads(await request.body())
    except ValueError:
        raise invalid("The request body is not valid JSON") from None


async def object_body(request: Request) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        Refusal: it is something else.

    """
    body = await json_body(request)
    if not isinstance(body, dict):
        raise invalid("The request body must be an object")
    return body


def _enveloped(result: bytes, status: int, result_info: Mapping[str, Any] | None) -> Response:
    info = b"" if result_info is None else b',"result_info":' + dumps(result_info)
    body = b'{"success":true,"errors":[],"messages":[],"result":' + result + info + b"}"
    return Response(body, status, media_type="application/json")
