"""`search_202`: a search that is not ready yet."""

from datetime import datetime, timedelta
from typing import ClassVar
from uuid import uuid4

from starlette.responses import Response

from clawback.simulator.faults.base import Exchange, RequestFault
from clawback.simulator.responses import HOME, cursor_info, succeed

_SEARCH = HOME + "/investigate"


class PendingSearch(RequestFault):
    """Answers a new search with 202 and where to ask again, until the search is ready."""

    name: ClassVar[str] = "search_202"
    description: ClassVar[str] = (
        "a search answers 202 with an empty page and a `Location` until it is ready"
    )
    seconds: ClassVar[float] = 1.0
    seconds_meaning: ClassVar[str | None] = "the time until the search is ready"

    def __init__(self) -> None:
        self._ready_at: dict[str, datetime] = {}

    def applies_to(self, exchange: Exchange) -> bool:
        is_search = exchange.entry.template == _SEARCH and exchange.scope["method"] == "GET"
        return is_search and "search_id" not in exchange.request.query_params

    async def apply(self, exchange: Exchange, seconds: float) -> None:
        search_id = str(uuid4())
        self._ready_at[search_id] = exchange.clock() + timedelta(seconds=seconds)
        await exchange.respond(_pending(exchange, search_id))

    def follow_up(self, exchange: Exchange) -> Response | None:
        search_id = exchange.request.query_params.get("search_id", "")
        ready_at = self._ready_at.get(search_id)
        if ready_at is None or ready_at <= exchange.clock():
            return None
        return _pending(exchange, search_id)


def _pending(exchange: Exchange, search_id: str) -> Response:
    # The API does not say whether the location is a path or a URL, so a client must read both.
    url = exchange.request.url.include_query_params(search_id=search_id)
    location = str(url) if exchange.flip_coin() else f"{url.path}?{url.query}"
    info = cursor_info(0, 20, None, None, lean=False)
    response = succeed([], status=202, result_info=info)
    response.headers["location"] = location
    return response
