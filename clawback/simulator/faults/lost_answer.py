"""`lost_answer`: the request is executed, but its response never arrives."""

from typing import ClassVar

from clawback.simulator.faults.base import Exchange, RequestFault


class LostAnswer(RequestFault):
    """Indistinguishable from `reset` for the client."""

    name: ClassVar[str] = "lost_answer"
    description: ClassVar[str] = "the connection closes or is reset; executed"

    async def apply(self, exchange: Exchange, seconds: float) -> None:  # noqa: ARG002 - takes none
        await exchange.execute()
        await exchange.drop(is_abrupt=exchange.flip_coin())
