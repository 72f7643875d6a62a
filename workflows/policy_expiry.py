"""How a policy of the account is made, and how it ends.

Looked for before and after, known by our mark, removed when its time is up.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditActivities, WriteRecords
    from activities.policies import OwnedPolicy, PolicyActivities, WantedPolicy
    from clawback.actions import PolicyAction
    from clawback.cases import CREATED
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.blocks import EndedBlock
    from clawback.model.payload import Payload
    from clawback.model.times import UtcDatetime
    from clawback.temporal import names
    from workflows.options import EXPIRE, RECORD
    from workflows.steps.create_once import create_once


class ExpiringPolicy(Payload):
    """A policy of ours, when it ends, and on whose behalf it was made."""

    policy: OwnedPolicy
    action: str
    expires_at: UtcDatetime
    rule: str
    case: str


class PolicyMaking:
    """Makes the policies of one case.

    `owner` is the mark that they bear, `is_off` says that nothing more is wanted.
    """

    def __init__(self, case_id: str, owner: str, rule: str, is_off: Callable[[], bool]) -> None:
        self._case_id = case_id
        self._owner = owner
        self._rule = rule
        self._is_off = is_off

    async def make(self, action: PolicyAction) -> str:
        """Make a policy, once; the outcome.

        One that stands already, whoever made it, is left as it is.
        """
        until = workflow.now() + action.term if action.term else None
        comments = (
            f"clawback {self._case_id} {f'expires {until:%FT%TZ} ' if until else ''}{self._owner}"
        )
        wanted = wanted_policy(action, self._owner, comments)
        made = await create_once(
            PolicyActivities.find_policy, PolicyActivities.create_policy, wanted, self._is_off
        )
        if isinstance(made, str):
            return made
        if until is not None:
            owned = OwnedPolicy(
                id=made.id, resource=action.resource, owner=self._owner, fields=dict(action.fields)
            )
            expiring = ExpiringPolicy(
                policy=owned,
                action=action.name,
                expires_at=until,
                rule=self._rule,
                case=self._case_id,
            )
            with suppress(WorkflowAlreadyStartedError):
                await workflow.start_child_workflow(
                    PolicyExpiryWorkflow.run,
                    expiring,
                    id=names.expiry_id(f"{action.resource}/{made.id}"),
                    parent_close_policy=ParentClosePolicy.ABANDON,
                    static_summary=f"removes a policy of {self._rule}",
                )
        return CREATED


@workflow.defn(name=names.POLICY_EXPIRY)
class PolicyExpiryWorkflow:
    """Removes one policy when its time is up.

    Id: `expiry/<list>/<policy id>`. The result says what became of it.
    """

    @workflow.run
    async def run(self, expiring: ExpiringPolicy) -> EndedBlock:
        """Wait, remove, record."""
        await workflow.sleep(
            max(expiring.expires_at - workflow.now(), timedelta()), summary="until the policy ends"
        )
        ended: EndedBlock = await workflow.execute_activity_method(
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


def wanted_policy(action: PolicyAction, owner: str, comments: str = "") -> WantedPolicy:
    """Say what policy an action stands for, with the mark of a case."""
    return WantedPolicy(
        resource=action.resource,
        fields=dict(action.fields),
        owner=owner,
        comments=comments,
        matched=action.matched,
    )
