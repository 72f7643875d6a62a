"""Reconciles the policy lists of the account. A Temporal Schedule runs it daily."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.reconciliation import ReconciliationActivities
    from clawback.model.orders import OrderLog, Verb
    from clawback.model.reconciliation import Reconcile, ReconcileFor, Reconciliation
    from clawback.temporal import names
    from workflows.options import RECONCILE
    from workflows.steps.orders import take_order

_SCHEDULED = Reconcile()


@workflow.defn(name=names.RECONCILIATION, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ReconciliationWorkflow:
    """Adopts, closes and reports entries of ours on the policy lists; its result says which.

    The schedule starts it without an argument, because what it carries would be bound to an id that
    the server makes.
    """

    @workflow.run
    async def run(self, request: Reconcile = _SCHEDULED) -> Reconciliation:
        """Reconcile once."""
        result: Reconciliation = await workflow.execute_activity_method(
            ReconciliationActivities.reconcile_policies, await _verify(request), **RECONCILE
        )
        return result


async def _verify(request: Reconcile) -> ReconcileFor:
    """Say for whom this is; fail if the order of a person does not count."""
    if request.order is None:
        return ReconcileFor(dry_run=request.dry_run)

    # It arrived when this workflow was started, however long no worker took it up.
    arrived = workflow.info().start_time
    order = await take_order(request.order, Verb.RECONCILE, OrderLog(), now=arrived)
    return ReconcileFor(dry_run=request.dry_run, actor=order.actor, reason=order.reason)
