"""The activity by which a full case sends matches on to a further part of its campaign."""

from temporalio import activity

from clawback.cases import ForwardMatches
from clawback.temporal.case_gateway import CaseGateway


class PartActivities:
    """Signals parts of campaigns. Safe to repeat: a part drops matches that it has."""

    def __init__(self, cases: CaseGateway) -> None:
        self._cases = cases

    @activity.defn(name="temporal.forward_matches")
    async def forward_matches(self, request: ForwardMatches) -> None:
        """Signal a part, and start it if it is not open."""
        await self._cases.signal_part(request)
