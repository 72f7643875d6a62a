"""The activity that opens the cases of satisfied correlations and sends them further matches."""

from collections.abc import Callable, Sequence

import structlog
from temporalio import activity
from temporalio.service import RPCError

from clawback.cases import CasePlan, CaseTiming, Match
from clawback.correlation.payloads import Delivery, DeliveryBatch, DeliveryResult
from clawback.model.mode import Mode
from clawback.rules import RuleSet
from clawback.rules.eligibility import cap_plan
from clawback.telemetry.tracing import trace
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_sender import CaseRefused
from clawback.temporal.fan_out import CONCURRENT_SIGNALS, gather_limited

log = structlog.get_logger("clawback")


class CorrelationActivities:
    """Sends matches to cases. Safe to repeat: cases drop matches that they have."""

    def __init__(self, cases: CaseGateway, rules: Callable[[], RuleSet], ceiling: Mode) -> None:
        self._cases = cases
        self._rules = rules
        self._ceiling = ceiling

    @activity.defn(name="correlation.deliver_matches")
    async def deliver_matches(self, batch: DeliveryBatch) -> list[DeliveryResult]:
        """Make every delivery of a batch; return one result per delivery, in order.

        A delivery that its case refuses, or that meets a defect, fails alone.

        Raises:
            RPCError: the server does not answer; Temporal retries.

        """
        return await gather_limited(self._deliver, batch.deliveries, CONCURRENT_SIGNALS)

    async def _deliver(self, delivery: Delivery) -> DeliveryResult:
        try:
            if delivery.opens:
                return await self._open(delivery)
            is_open = await self._cases.join_matches(delivery.case_id, _as_late(delivery.matches))
        except CaseRefused as error:
            log.warning("correlation.delivery_refused", case=delivery.case_id)
            log.debug("correlation.refusal_explained", case=delivery.case_id, why=str(error))
            return DeliveryResult.FAILED
        except RPCError:
            raise
        except Exception as error:  # noqa: BLE001 - one delivery must not stop the others
            log.warning("correlation.delivery_failed", case=delivery.case_id, error=error)
            return DeliveryResult.FAILED
        return DeliveryResult.DELIVERED if is_open else DeliveryResult.CASE_CLOSED

    async def _open(self, delivery: Delivery) -> DeliveryResult:
        """Open a case with the plan of the rule as it is loaded now."""
        plan = self._plan(delivery)
        if isinstance(plan, DeliveryResult):
            return plan
        timing = CaseTiming(linger=delivery.definition.linger)
        matches = _as_late(delivery.matches)
        with trace(
            "correlation.opened", {"clawback.rule": plan.rule, "clawback.case": plan.case_id}
        ):
            await self._cases.signal_matches(plan, matches, timing, delivery.window)
        return DeliveryResult.DELIVERED

    def _plan(self, delivery: Delivery) -> CasePlan | DeliveryResult:
        """Plan the case; a rule that counts something else by now must not act on this count."""
        rules, definition = self._rules(), delivery.definition
        if definition.rule not in rules.rules:
            return DeliveryResult.RULE_GONE
        plan = rules.plan_group(definition.rule, delivery.group)
        if plan is None or plan.correlation != definition.window:
            return DeliveryResult.RULE_CHANGED
        return cap_plan(plan, rules.safety, self._ceiling)


def _as_late(matches: Sequence[Match]) -> tuple[Match, ...]:
    """Let containment count from the last of these matches: no other satisfied the correlation."""
    last = max((match.seen_at for match in matches), default=None)
    return tuple(
        match.model_copy(update={"is_late": True, "seen_at": last or match.seen_at})
        for match in matches
    )
