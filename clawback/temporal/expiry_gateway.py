"""The workflows that end our entries on the policy lists: which run, starting one, closing one."""

from collections.abc import Mapping

from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import WorkflowAlreadyStartedError

from clawback.actions.policy import PolicyAction
from clawback.actions.registry import ACTIONS
from clawback.model.addresses import PatternKind
from clawback.model.claims import Claim, Claims, Withdrawal
from clawback.model.identity import Actor
from clawback.model.mailboxes import mailbox_of_expression
from clawback.model.orders import Verb
from clawback.model.policies import (
    ExpiringBlock,
    ExpiringPolicy,
    OwnedBlock,
    OwnedPolicy,
    Resource,
)
from clawback.temporal import names
from clawback.temporal.orders import sign_order
from clawback.temporal.workflow_calls import NoSuchWorkflow, UpdateRefused, update_workflow

ACTION_OF: Mapping[Resource, str] = {
    action.resource: name for name, action in ACTIONS.items() if issubclass(action, PolicyAction)
}
"""The name of the action that writes to each list."""
_RUNNING = (
    f"WorkflowType IN ('{names.BLOCK_EXPIRY}', '{names.POLICY_EXPIRY}') "
    "AND ExecutionStatus = 'Running'"
)


class ExpiryGateway:
    """Typed access to the workflows that wait for the end of an entry, each known by its id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list_known(self) -> dict[Resource, set[str]]:
        """Return the ids of the entries whose end a workflow waits for, by list.

        Costs one request per thousand and needs no worker. The index may lag by a second.
        """
        known: dict[Resource, set[str]] = {resource: set() for resource in Resource}
        async for execution in self._client.list_workflows(_RUNNING):
            resource, id_ = _parse_id(execution.id)
            known[resource].add(id_)
        return known

    async def adopt(self, policy: OwnedPolicy, claims: Claims) -> bool:
        """Start the workflow that removes an entry when it ends; False if one runs already.

        `claims` are what its mark says: among them is that of the case which made the entry.

        Raises:
            RPCError: the server does not answer.

        """
        try:
            if policy.resource is Resource.BLOCK_SENDERS:
                await self._adopt_block(policy, claims)
            else:
                await self._adopt_policy(policy, claims)
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def claim(self, policy: OwnedPolicy, known: Claims, claim: Claim) -> bool:
        """Add a claim to an entry that another case made; False if the entry is being removed.

        If no workflow waits for the end of the entry yet, one is started with the claims
        that its mark names.

        Raises:
            RPCError: the server does not answer.
            NoWorkerAnswered: no worker accepted it.

        """
        handle = self._handle(policy.resource, policy.id)
        for _ in range(2):
            try:
                await update_workflow(handle, names.CLAIM, [claim], type(None))
            except NoSuchWorkflow:
                await self.adopt(policy, known)
            except UpdateRefused:
                return False
            else:
                return True
        return False

    async def withdraw(self, resource: Resource, id_: str, owner: str) -> Withdrawal | None:
        """End the claim of a case; None if no workflow waits for the end of the entry.

        Raises:
            RPCError: the server does not answer.
            NoWorkerAnswered: no worker accepted it.

        """
        handle = self._handle(resource, id_)
        try:
            return await update_workflow(handle, names.WITHDRAW, [owner], Withdrawal)
        except (NoSuchWorkflow, UpdateRefused):
            return None

    async def close(self, resource: Resource, id_: str, actor: Actor, reason: str) -> None:
        """End the workflow of an entry that is gone. It looks again, and records what it finds.

        Raises:
            RPCError: the server does not answer.
            NoWorkerAnswered: no worker accepted it.

        """
        handle = self._handle(resource, id_)
        try:
            order = sign_order(self._client, Verb.LIFT_BLOCK, handle.id, actor, reason=reason)
            await update_workflow(handle, names.LIFT, [order], type(None))
        except (NoSuchWorkflow, UpdateRefused):
            return  # it has ended meanwhile

    async def _adopt_block(self, policy: OwnedPolicy, claims: Claims) -> None:
        claim = _made_by(policy, claims)
        pattern = str(policy.fields["pattern"])
        mailbox = mailbox_of_expression(pattern) if policy.fields.get("is_regex") else None
        block = OwnedBlock(
            id=policy.id,
            owner=policy.owner,
            pattern=mailbox or pattern,
            variants=mailbox is not None,
            kind=PatternKind(str(policy.fields["pattern_type"]).lower()),
        )
        expiring = ExpiringBlock(block=block, claims=claims, rule=claim.rule, case=claim.case)
        await self._client.start_workflow(
            names.BLOCK_EXPIRY,
            expiring,
            id=_workflow_id(policy.resource, policy.id),
            task_queue=names.WORKFLOW_QUEUE,
            memo={names.BLOCK_MEMO: expiring},
            static_summary=f"removes an adopted block of {claim.rule}",
        )

    async def _adopt_policy(self, policy: OwnedPolicy, claims: Claims) -> None:
        claim = _made_by(policy, claims)
        await self._client.start_workflow(
            names.POLICY_EXPIRY,
            ExpiringPolicy(
                policy=policy,
                action=ACTION_OF[policy.resource],
                claims=claims,
                rule=claim.rule,
                case=claim.case,
            ),
            id=_workflow_id(policy.resource, policy.id),
            task_queue=names.WORKFLOW_QUEUE,
            static_summary=f"removes an adopted policy of {claim.rule}",
        )

    def _handle(self, resource: Resource, id_: str) -> WorkflowHandle[object, object]:
        return self._client.get_workflow_handle(_workflow_id(resource, id_))


def _made_by(policy: OwnedPolicy, claims: Claims) -> Claim:
    return next(claim for claim in claims.kept if claim.owner == policy.owner)


def _workflow_id(resource: Resource, id_: str) -> str:
    return names.expiry_id(id_ if resource is Resource.BLOCK_SENDERS else f"{resource}/{id_}")


def _parse_id(workflow_id: str) -> tuple[Resource, str]:
    rest = workflow_id.removeprefix(names.expiry_id(""))
    name, _, id_ = rest.partition("/")
    return (Resource(name), id_) if name in set(Resource) else (Resource.BLOCK_SENDERS, rest)
