"""The activity that retries matches which were set aside."""

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.model.texts import bounded
from clawback.temporal.error_types import ErrorType
from clawback.temporal.match_gateway import MatchGateway, group_by_recipient
from clawback.temporal.set_aside_gateway import MatchesSetAside


class SetAsideActivities:
    """Delivers matches to a case that refused them before. Safe to repeat."""

    def __init__(self, matches: MatchGateway) -> None:
        self._matches = matches

    @activity.defn(name="temporal.deliver_matches")
    async def deliver(self, request: MatchesSetAside) -> None:
        """Signal the case.

        Raises:
            ApplicationError: the case still does not take them; Temporal retries.

        """
        (delivery,) = group_by_recipient([(request.plan, request.matches)])
        for refused in await self._matches.deliver(delivery, request.timing):
            raise ApplicationError(
                bounded(str(refused.error)),
                type=ErrorType.UNAVAILABLE,
                category=ApplicationErrorCategory.BENIGN,
            ) from refused.error
