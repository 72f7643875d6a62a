"""The activities between the parts of a campaign."""

from temporalio import activity

from clawback.cases import ForwardMatches
from clawback.cases.lost_case import LostCase
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.lost_cases import read_lost_case


class PartActivities:
    """Signals and finds parts of campaigns. Safe to repeat: a part drops matches that it has."""

    def __init__(self, cases: CaseGateway) -> None:
        self._cases = cases

    @activity.defn(name="temporal.forward_matches")
    async def forward_matches(self, request: ForwardMatches) -> None:
        """Signal a part, and start it if it is not open."""
        await self._cases.signal_part(request)

    @activity.defn(name="temporal.read_lost_case")
    async def read_lost_case(self, case_id: str) -> LostCase:
        """Read what the case before this one knew, if its parts are open and it is lost."""
        return await read_lost_case(self._cases, case_id)
