"""The activity that retries matches which were set aside."""

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.model.texts import bounded
from clawback.temporal.case_gateway import CaseGateway, CaseRefused
from clawback.temporal.error_types import ErrorType
from clawback.temporal.set_aside_gateway import MatchesSetAside


class SetAsideActivities:
    """Delivers matches to a case that refused them before. Safe to repeat."""

    def __init__(self, cases: CaseGateway) -> None:
        self._cases = cases

    @activity.defn(name="temporal.deliver_matches")
    async def deliver(self, request: MatchesSetAside) -> None:
        """Signal the case.

        Raises:
            ApplicationError: the case still does not take them; Temporal retries.

        """
        try:
            await self._cases.signal_matches(request.plan, request.matches, request.timing)
        except CaseRefused as error:
            raise ApplicationError(
                bounded(str(error)),
                type=ErrorType.UNAVAILABLE,
                category=ApplicationErrorCategory.BENIGN,
            ) from error
