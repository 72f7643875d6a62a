"""What all operations share: make a call, read its records, or say that they cannot be read.

No endpoint is named here.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from clawback.cloudflare.errors import NotFound, Rejected, Unavailable
from clawback.cloudflare.paging import Page, counted_page, cursor_page, read_items
from clawback.cloudflare.rate_limit_headers import read_retry_after
from clawback.cloudflare.requests import ApiRequest
from clawback.cloudflare.responses import ApiResponse, Envelope, unreadable
from clawback.cloudflare.transport import Transport
from clawback.cloudflare.wire import Unreadable, Wire

SEARCH_PATIENCE = 45.0
"""Seconds that one call waits for a search that the API answered with 202."""

_FIRST_POLL = 0.5
_SLOWEST_POLL = 5.0
_BAD_BODY = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_POINTS_ON = frozenset(
    {HTTPStatus.ACCEPTED, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT}
)

R = TypeVar("R", bound=Wire)


class Operations:
    """Operations over one connection."""

    def __init__(self, connection: Transport) -> None:
        self._connection = connection

    async def _one(self, call: ApiRequest, kind: type[R]) -> R:
        return self._record(call, await self._connection.call(call), kind)

    def _record(self, call: ApiRequest, envelope: Envelope, kind: type[R]) -> R:
        """Read one record; a list of one is one, as servers before 2026 gave after a create."""
        match envelope.result:
            case [only]:
                result = only
            case other:
                result = other
        try:
            return kind.read(result)
        except Unreadable as error:
            raise unreadable(call, str(error)) from None

    async def _object(self, call: ApiRequest) -> Mapping[str, Any]:
        result = (await self._connection.call(call)).result
        if not isinstance(result, Mapping):
            raise unreadable(call, "the result is not an object")
        return result

    async def _list(self, call: ApiRequest, kind: type[R]) -> tuple[R, ...]:
        return self._items(call, await self._connection.call(call), kind)

    def _items(self, call: ApiRequest, envelope: Envelope, kind: type[R]) -> tuple[R, ...]:
        """Read a list that is not paged. After a POST a missing list leaves the outcome unknown."""
        if envelope.result is None and not call.repeatable:
            raise unreadable(call, "the answer has no result")
        try:
            return read_items(kind, envelope.result)[0]
        except Unreadable as error:
            raise unreadable(call, str(error)) from None

    async def _either(self, current: ApiRequest, former: ApiRequest) -> Envelope:
        """Make a call whose body is disputed.

        The form taken last, and the other once where it is refused as a request (not executed).
        """
        forms, dialect = (current, former), self._connection.dialect
        known = dialect.get(current.endpoint, 0)
        try:
            return await self._connection.call(forms[known])
        except Rejected as refused:
            if refused.status not in _BAD_BODY:
                raise
            envelope = await self._otherwise(forms[1 - known], refused)
        dialect[current.endpoint] = 1 - known
        return envelope

    async def _otherwise(self, call: ApiRequest, refused: Rejected) -> Envelope:
        try:
            return await self._connection.call(call)
        except Rejected:
            raise refused from None

    async def _counted(self, call: ApiRequest, kind: type[R], page: int, per_page: int) -> Page[R]:
        envelope = await self._connection.call(call)
        try:
            return counted_page(kind, envelope.result, envelope.info, page, per_page)
        except Unreadable as error:
            raise unreadable(call, str(error)) from None

    async def _search(self, call: ApiRequest, kind: type[R]) -> Page[R]:
        """Read a page of a cursor list.

        A search that is still running is polled where its `Location` points.
        """
        answer = await self._connection.send(call)
        if answer.status == HTTPStatus.ACCEPTED:
            answer = await self._found(call, answer)
        envelope = self._connection.read(call, answer)
        try:
            return cursor_page(kind, envelope.result, envelope.info)
        except Unreadable as error:
            raise unreadable(call, str(error)) from None

    async def _found(self, call: ApiRequest, answer: ApiResponse) -> ApiResponse:
        """Poll a running search until it answers, each time a little later, within `SEARCH_PATIENCE`."""
        clock = self._connection.clock
        until = clock.now() + SEARCH_PATIENCE
        pause = _FIRST_POLL
        while answer.status in _POINTS_ON:
            call = self._connection.follow(call, answer.headers.get("location", ""))
            asked = read_retry_after(answer.headers, clock.wall())
            wait = max(pause, asked.total_seconds() if asked else 0.0)
            if clock.now() + wait > until:
                raise Unavailable(call.endpoint, "the search is still running", answer.status)
            await clock.sleep(wait)
            pause = min(pause * 2, _SLOWEST_POLL)
            answer = await self._polled(call)
        return answer

    async def _polled(self, call: ApiRequest) -> ApiResponse:
        try:
            return await self._connection.send(call, also=_POINTS_ON)
        except NotFound as error:
            raise Unavailable(call.endpoint, "the search is gone", error.status) from None
