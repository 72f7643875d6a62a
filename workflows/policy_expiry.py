"""The expiry of a policy: removes it when its time is up, if it is still ours."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditActivities, WriteRecords
    from activities.policies import PolicyActivities
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.payload import Payload
    from clawback.model.policies import EndedPolicy, OwnedPolicy
    from clawback.model.times import UtcDatetime
    from clawback.temporal import names
    from workflows.options import EXPIRE, RECORD


class ExpiringPolicy(Payload):
    """A policy of ours, when it ends, and for which action of which case it was made."""

    policy: OwnedPolicy
    action: str
    expires_at: UtcDatetime
    rule: str
    case: str


@workflow.defn(name=names.POLICY_EXPIRY)
class PolicyExpiryWorkflow:
    """Removes one policy when its time is up. Id: `expiry/<list>/<policy id>`."""

    @workflow.run
    async def run(self, expiring: ExpiringPolicy) -> EndedPolicy:
        """Wait, remove, record; the result says what became of the policy."""
        await workflow.sleep(
            max(expiring.expires_at - workflow.now(), timedelta()), summary="until the policy ends"
        )
        ended: EndedPolicy = await workflow.execute_activity_method(
            PolicyActivities.remove_policy, expiring.policy, **EXPIRE
        )
        info = workflow.info()
        record = AuditRecord(
            id=f"{info.workflow_id}/{info.first_execution_run_id}",
            at=workflow.now(),
            kind=RecordKind.POLICY_EXPIRED,
            rule=expiring.rule,
            case=expiring.case,
            action=expiring.action,
            target=expiring.policy.id,
            outcome=ended.removal,
        )
        await workflow.execute_local_activity_method(
            AuditActivities.append, WriteRecords(records=(record,)), **RECORD
        )
        return ended
