"""Removes an account policy of ours when its time is up."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.policies import PolicyActivities
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.payload import Payload
    from clawback.model.policies import EndedPolicy, OwnedPolicy
    from clawback.model.times import UtcDatetime
    from clawback.temporal import names
    from workflows.options import EXPIRE
    from workflows.steps.audit import write_records


class ExpiringPolicy(Payload):
    """A policy of ours, when it ends, and which rule and case created it."""

    policy: OwnedPolicy
    action: str
    expires_at: UtcDatetime
    rule: str
    case: str


@workflow.defn(name=names.POLICY_EXPIRY, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class PolicyExpiryWorkflow:
    """Removes one policy when its time is up, unless somebody else has changed the policy.

    Id: `expiry/<list>/<policy id>`. The result says how the policy ended.
    """

    @workflow.run
    async def run(self, expiring: ExpiringPolicy) -> EndedPolicy:
        """Wait until the policy expires, remove it, record that."""
        # This may start after the policy should have ended, and a negative sleep is an error.
        left = max(expiring.expires_at - workflow.now(), timedelta())
        await workflow.sleep(left, summary="until the policy ends")
        ended: EndedPolicy = await workflow.execute_activity_method(
            PolicyActivities.remove_policy, expiring.policy, **EXPIRE
        )
        await write_records([_build_record(expiring, ended)])
        return ended


def _build_record(expiring: ExpiringPolicy, ended: EndedPolicy) -> AuditRecord:
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
    )
