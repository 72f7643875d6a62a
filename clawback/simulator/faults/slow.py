"""`slow`: a delayed response."""

from typing import ClassVar

from clawback.simulator.faults.base import Exchange, RequestFault


class Slow(RequestFault):
    """Delays a request, which may then also meet another fault."""

    name: ClassVar[str] = "slow"
    description: ClassVar[str] = "the request is executed late"
    seconds: ClassVar[float] = 1.0
    seconds_meaning: ClassVar[str | None] = "the delay"
    is_exclusive: ClassVar[bool] = False

    async def apply(self, exchange: Exchange, seconds: float) -> None:
        await exchange.pause(seconds)
