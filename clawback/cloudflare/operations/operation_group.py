"""The base of all operation groups: make a call and parse its records. It names no endpoint."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from clawback.cloudflare.api_request import ApiRequest
from clawback.cloudflare.api_response import ApiResponse, Envelope, unreadable_response
from clawback.cloudflare.errors import InvalidRequest, NotFound, Unavailable
from clawback.cloudflare.paging import Page, parse_counted_page, parse_cursor_page, parse_records
from clawback.cloudflare.transport import Transport
from clawback.cloudflare.wire_model import InvalidRecord, WireModel
from clawback.model.retry_after import read_retry_after

SEARCH_TIMEOUT = 45.0
"""Seconds that one call waits for a search that the API answered with 202."""

_FIRST_POLL = 0.5
_SLOWEST_POLL = 5.0
_BODY_REJECTED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_STILL_RUNNING = frozenset(
    {HTTPStatus.ACCEPTED, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT}
)

R = TypeVar("R", bound=WireModel)


class OperationGroup:
    """Operations over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _fetch_one(self, request: ApiRequest, record_type: type[R]) -> R:
        return self._parse_record(request, await self._transport.call(request), record_type)

    def _parse_record(self, request: ApiRequest, envelope: Envelope, record_type: type[R]) -> R:
        """Parse one record. A list of one is accepted: servers before 2026 gave it on create."""
        match envelope.result:
            case [only]:
                result = only
            case other:
                result = other

        try:
            return record_type.parse(result)
        except InvalidRecord as error:
            raise unreadable_response(request, str(error)) from None

    async def _fetch_object(self, request: ApiRequest) -> Mapping[str, Any]:
        result = (await self._transport.call(request)).result
        if not isinstance(result, Mapping):
            raise unreadable_response(request, "the result is not an object")
        return result

    async def _fetch_list(self, request: ApiRequest, record_type: type[R]) -> tuple[R, ...]:
        return self._parse_list(request, await self._transport.call(request), record_type)

    def _parse_list(
        self, request: ApiRequest, envelope: Envelope, record_type: type[R]
    ) -> tuple[R, ...]:
        """Parse an unpaged list. After a POST, a missing list leaves the outcome unknown."""
        if envelope.result is None and not request.is_repeatable:
            raise unreadable_response(request, "the response has no result")
        try:
            return parse_records(record_type, envelope.result)[0]
        except InvalidRecord as error:
            raise unreadable_response(request, str(error)) from None

    async def _call_either(self, current: ApiRequest, former: ApiRequest) -> Envelope:
        """Make a call for whose body the sources disagree.

        Sends the form that worked last time. If the server rejects it as a bad request, nothing was
        executed, so the other form is tried once.
        """
        forms, accepted_form = (current, former), self._transport.accepted_form
        known = accepted_form.get(current.endpoint, 0)
        try:
            return await self._transport.call(forms[known])
        except InvalidRequest as error:
            if error.status not in _BODY_REJECTED:
                raise
            envelope = await self._call_other(forms[1 - known], error)

        accepted_form[current.endpoint] = 1 - known
        return envelope

    async def _call_other(self, request: ApiRequest, first_error: InvalidRequest) -> Envelope:
        try:
            return await self._transport.call(request)
        except InvalidRequest:
            # With both forms refused, the request itself is wrong: the first refusal says why.
            raise first_error from None

    async def _fetch_page(
        self, request: ApiRequest, record_type: type[R], page: int, per_page: int
    ) -> Page[R]:
        envelope = await self._transport.call(request)
        try:
            return parse_counted_page(record_type, envelope.result, envelope.info, page, per_page)
        except InvalidRecord as error:
            raise unreadable_response(request, str(error)) from None

    async def _search(self, request: ApiRequest, record_type: type[R], per_page: int) -> Page[R]:
        """Read a page of a cursor list. A search that is still running is polled."""
        response = await self._transport.send(request)
        if response.status == HTTPStatus.ACCEPTED:
            response = await self._poll_search(request, response)

        envelope = self._transport.read(request, response)
        try:
            return parse_cursor_page(record_type, envelope.result, envelope.info, per_page)
        except InvalidRecord as error:
            raise unreadable_response(request, str(error)) from None

    async def _poll_search(self, request: ApiRequest, response: ApiResponse) -> ApiResponse:
        """Poll the `Location` of a running search with growing pauses, for `SEARCH_TIMEOUT`."""
        clock = self._transport.clock
        deadline = clock.monotonic() + SEARCH_TIMEOUT
        pause = _FIRST_POLL

        while response.status in _STILL_RUNNING:
            # Every answer may name another place, whose host must be checked before each request.
            request = self._transport.follow(request, response)
            retry_after = read_retry_after(response.headers, clock.wall_time())
            wait = max(pause, retry_after.total_seconds() if retry_after else 0.0)
            if clock.monotonic() + wait > deadline:
                raise Unavailable(request.endpoint, "the search is still running", response.status)

            await clock.sleep(wait)
            pause = min(pause * 2, _SLOWEST_POLL)
            response = await self._poll_once(request)

        return response

    async def _poll_once(self, request: ApiRequest) -> ApiResponse:
        try:
            return await self._transport.send(request, also_accept=_STILL_RUNNING)
        except NotFound as error:
            raise Unavailable(request.endpoint, "the search is gone", error.status) from None
