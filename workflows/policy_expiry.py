"""Removes an account policy of ours when its time is up."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.policies import PolicyActivities
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.orders import Order, OrderLog, SignedOrder, Verb
    from clawback.model.policies import EndedPolicy, ExpiringPolicy
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from workflows.options import EXPIRE
    from workflows.steps.audit import write_records
    from workflows.steps.orders import require_order, take_order


@workflow.defn(name=names.POLICY_EXPIRY, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class PolicyExpiryWorkflow:
    """Removes one policy when its time is up, unless somebody else has changed the policy.

    Id: `expiry/<list>/<policy id>`. The result says how the policy ended.
    """

    @workflow.init
    def __init__(self, expiring: ExpiringPolicy) -> None:
        self._lifting: Order | None = None
        self._orders = OrderLog()

    @workflow.run
    async def run(self, expiring: ExpiringPolicy) -> EndedPolicy:
        """Wait until the policy expires or is lifted, remove it, record that."""
        # This may start after the policy should have ended, and a negative sleep is an error.
        left = max(expiring.expires_at - workflow.now(), timedelta())
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self._lifting is not None,
                timeout=left,
                timeout_summary="until the policy ends",
            )

        ended: EndedPolicy = await workflow.execute_activity_method(
            PolicyActivities.remove_policy, expiring.policy, **EXPIRE
        )
        await write_records([_build_record(expiring, ended, self._lifting)])
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ended

    @workflow.update(name=names.LIFT)
    async def lift(self, signed: SignedOrder) -> None:
        """Remove the policy now; the result of the workflow says how it ended."""
        self._lifting = await take_order(signed, Verb.LIFT_BLOCK, self._orders)

    @lift.validator
    def _validate_lift(self, signed: SignedOrder) -> None:
        require_order(signed, Verb.LIFT_BLOCK, self._orders)


def _build_record(expiring: ExpiringPolicy, ended: EndedPolicy, order: Order | None) -> AuditRecord:
    info = workflow.info()
    return AuditRecord(
        id=f"{info.workflow_id}/{info.first_execution_run_id}",
        at=workflow.now(),
        kind=RecordKind.POLICY_EXPIRED,
        rule=expiring.rule,
        case=expiring.case,
        action=expiring.action,
        target=expiring.policy.id,
        outcome=ended.removal,
        detail=bounded(order.reason) or None if order else None,
        **(order.actor.audit_fields if order else {}),
    )
