"""`429`: one refused request."""

from typing import ClassVar

from clawback.simulator.faults.base import Exchange, RequestFault
from clawback.simulator.responses import RATE_LIMITED, Refusal, fail


class RateLimited(RequestFault):
    """A 429 apart from the rate limit, which `rate_limit.py` simulates."""

    name: ClassVar[str] = "429"
    description: ClassVar[str] = "429 with a `Retry-After` header; not executed"
    seconds: ClassVar[float] = 1.0
    seconds_meaning: ClassVar[str | None] = "the value of `Retry-After`"

    async def apply(self, exchange: Exchange, seconds: float) -> None:
        refusal = Refusal(429, RATE_LIMITED, "Too many requests; try again soon")
        await exchange.respond(fail(refusal, {"retry-after": str(max(round(seconds), 0))}))
