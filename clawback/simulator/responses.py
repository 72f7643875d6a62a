"""Response envelopes, `result_info`, times, and request bodies. Source: reference §1.1, §3.2.

Refusal   the request is refused; becomes a failure envelope

Cloudflare publishes no error codes for this API. Apart from 7003 (no route) and 10000
(authentication) they are invented.
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
    """The API refuses a request: HTTP status, error code and message."""

    def __init__(self, status: int, code: int, message: str, pointer: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.pointer = pointer


def invalid(message: str, pointer: str | None = None) -> Refusal:
    """Build a 400 for an invalid query or body. `pointer` is a JSON pointer into it."""
    return Refusal(400, INVALID, message, pointer)


def not_found(message: str) -> Refusal:
    """Build a 404 for an unknown id."""
    return Refusal(404, NOT_FOUND, message)


def dump_json(value: object) -> bytes:
    """Encode compact JSON, in ASCII so that lone surrogates survive."""
    return _ENCODER.encode(value).encode()


def format_time(time: datetime) -> str:
    """Format a time as RFC 3339 in UTC, with `Z` and microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def succeed(
    result: object, *, status: int = 200, result_info: Mapping[str, Any] | None = None
) -> Response:
    """Wrap a result in a success envelope, with `result_info` if the operation has one."""
    return _wrap(dump_json(result), status, result_info)


def succeed_encoded(
    records: Iterable[bytes], *, status: int = 200, result_info: Mapping[str, Any] | None = None
) -> Response:
    """Wrap records that are encoded already in a success envelope, as a list."""
    return _wrap(b"[" + b",".join(records) + b"]", status, result_info)


def succeed_one_encoded(record: bytes) -> Response:
    """Wrap one record that is encoded already in a success envelope."""
    return _wrap(record, 200, None)


def fail(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """Build the failure envelope. Since 2026-08-21 a 403 also links the documentation."""
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.pointer is not None:
        error["source"] = {"pointer": refusal.pointer}
    if refusal.status == 403:  # noqa: PLR2004 - Forbidden
        error["documentation_url"] = DOCUMENTATION

    body = {"success": False, "errors": [error], "messages": [], "result": None}
    return Response(dump_json(body), refusal.status, headers, "application/json")


def html_page(title: str, status: int) -> Response:
    """Build an HTML page as Cloudflare's edge sends it."""
    page = f"<title>{title}</title></head><body><h1>{title}</h1><hr>cloudflare</body></html>"
    return Response(f"<!DOCTYPE html><html><head>{page}", status, media_type="text/html")


def cursor_info(
    count: int, per_page: int, next_cursor: str | None, previous: str | None, *, lean: bool
) -> dict[str, Any]:
    """Build the `result_info` of cursors. `total_count` and `page` are 0, or absent if `lean`."""
    info: dict[str, Any] = {
        "count": count,
        "per_page": per_page,
        "next": next_cursor,
        "previous": previous,
    }
    return info if lean else info | {"total_count": 0, "page": 0}


def page_info(count: int, page: int, per_page: int, total: int) -> dict[str, Any]:
    """Build the `result_info` of pages. `total` counts all records, whatever the filter."""
    return {"count": count, "page": page, "per_page": per_page, "total_count": total}


async def read_json(request: Request) -> Any:
    """Read the body as JSON.

    Raises:
        Refusal: it is not JSON.

    """
    try:
        return json.loads(await request.body())
    except ValueError:
        raise invalid("The request body is not valid JSON") from None


async def read_object(request: Request) -> dict[str, Any]:
    """Read the body as a JSON object.

    Raises:
        Refusal: it is something else.

    """
    body = await read_json(request)
    if not isinstance(body, dict):
        raise invalid("The request body must be an object")
    return body


def _wrap(result: bytes, status: int, result_info: Mapping[str, Any] | None) -> Response:
    info = b"" if result_info is None else b',"result_info":' + dump_json(result_info)
    body = b'{"success":true,"errors":[],"messages":[],"result":' + result + info + b"}"
    return Response(body, status, media_type="application/json")
