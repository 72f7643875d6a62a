"""`malformed`: the request is executed, but its response cannot be parsed."""

from typing import ClassVar

from starlette.responses import Response

from clawback.simulator.faults.base import Exchange, RequestFault
from clawback.simulator.responses import html_page


class Malformed(RequestFault):
    """A 200 with truncated JSON or with HTML."""

    name: ClassVar[str] = "malformed"
    description: ClassVar[str] = "200 with truncated JSON or an HTML page; executed"

    async def apply(self, exchange: Exchange, seconds: float) -> None:  # noqa: ARG002 - takes none
        body = await exchange.execute()
        if exchange.flip_coin():
            await exchange.respond(html_page("Just a moment...", 200))
            return
        cut = exchange.random.randint(1, max(len(body) - 1, 1))
        await exchange.respond(Response(body[:cut], 200, media_type="application/json"))
