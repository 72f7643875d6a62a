"""Reconciles the policy lists of the account. A Temporal Schedule runs it daily."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.reconciliation import ReconciliationActivities
    from clawback.model.reconciliation import Reconcile, Reconciliation
    from clawback.temporal import names
    from workflows.options import RECONCILE

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
            ReconciliationActivities.reconcile_policies, request, **RECONCILE
        )
        return result
