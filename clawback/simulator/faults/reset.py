"""`reset`: the connection closes before the request is executed."""

from typing import ClassVar

from clawback.simulator.faults.base import Exchange, RequestFault


class Reset(RequestFault):
    """Indistinguishable from `lost_answer` for the client."""

    name: ClassVar[str] = "reset"
    description: ClassVar[str] = "the connection closes or is reset; not executed"

    async def apply(self, exchange: Exchange, seconds: float) -> None:  # noqa: ARG002 - takes none
        await exchange.drop(is_abrupt=exchange.flip_coin())
