"""Policies, sender blocks included: created once on lists without unique keys, then expired."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.policies import CreatePolicy, FoundPolicy, PolicyActivities
    from clawback.actions import BlockSender, PolicyAction
    from clawback.actions.outcomes import ALREADY_THERE, UNKNOWN, failed
    from clawback.model.messages import Target
    from clawback.model.policies import ExpiringBlock, ExpiringPolicy, OwnedBlock, OwnedPolicy
    from clawback.temporal import names
    from workflows.block_expiry import BlockExpiryWorkflow
    from workflows.policy_expiry import PolicyExpiryWorkflow
    from workflows.steps.attempts import Answered, Impossible, verify
    from workflows.steps.context import StepContext

StartExpiry = Callable[[str, datetime], Awaitable[None]]
"""Starts the workflow that removes the entry of an id at a time."""


async def create_policy(
    action: PolicyAction,
    targets: Sequence[Target],  # noqa: ARG001 - every step takes its messages
    context: StepContext,
) -> dict[str, str]:
    """Create a policy, and start the workflow that removes it when it expires."""

    async def start_expiry(policy_id: str, expires_at: datetime) -> None:
        policy = OwnedPolicy(
            id=policy_id,
            resource=action.resource,
            owner=context.owner,
            fields=dict(action.fields),
        )
        expiring = ExpiringPolicy(
            policy=policy,
            action=action.name,
            expires_at=expires_at,
            rule=context.rule,
            case=context.case_id,
        )
        await _start_child(
            PolicyExpiryWorkflow.run,
            expiring,
            id=names.expiry_id(f"{action.resource}/{policy_id}"),
            static_summary=f"removes a policy of {context.rule}",
        )

    return await _create(action, context, start_expiry)


async def block_sender(
    action: BlockSender,
    targets: Sequence[Target],  # noqa: ARG001 - every step takes its messages
    context: StepContext,
) -> dict[str, str]:
    """Create a block, and start the workflow by which people list, extend and lift it."""

    async def start_expiry(block_id: str, expires_at: datetime) -> None:
        block = OwnedBlock(
            id=block_id, owner=context.owner, pattern=action.canonical, kind=action.kind
        )
        expiring = ExpiringBlock(
            block=block, expires_at=expires_at, rule=context.rule, case=context.case_id
        )
        await _start_child(
            BlockExpiryWorkflow.run,
            expiring,
            id=names.expiry_id(block_id),
            memo={names.BLOCK_MEMO: expiring},
            static_summary=f"removes a block of {context.rule}",
        )

    return await _create(action, context, start_expiry)


async def _create(
    action: PolicyAction, context: StepContext, start_expiry: StartExpiry
) -> dict[str, str]:
    """Create an entry and see to its end; no outcome if people must be asked first."""
    lifetime = action.lifetime(context.repeats)
    expires_at = workflow.now() + lifetime if lifetime else None
    expiry = f"expires {expires_at:%FT%TZ} " if expires_at else ""
    comments = f"clawback {context.case_id} {expiry}{context.owner}"

    request = CreatePolicy(
        action=action, owner=context.owner, comments=comments, authority=context.authority
    )
    found = await _create_once(request, context)
    if found is None:
        return {}
    if isinstance(found, str):
        return {action.label: found}

    if found.id is not None and expires_at is not None:
        await start_expiry(found.id, expires_at)

    return {action.label: action.created_outcome}


async def _create_once(request: CreatePolicy, context: StepContext) -> FoundPolicy | str | None:
    """Search before every attempt. Give our entry, or the outcome if there is none of ours."""
    attempts = context.attempts()
    while attempts.may_continue:
        found = await verify(PolicyActivities.find_policy, request)
        if not isinstance(found, FoundPolicy):
            return UNKNOWN
        if found.id:
            return _judge(found)

        # A lost response needs no branch: the search of the next pass finds what it created.
        match await attempts.make(PolicyActivities.create_policy, request):
            case Answered(FoundPolicy() as created):
                return _judge(created)
            case Impossible(why):
                return failed(why)

    return attempts.outcome_of_giving_up


def _judge(found: FoundPolicy) -> FoundPolicy | str:
    return found if found.is_mine else ALREADY_THERE


async def _start_child(run: Callable[..., Any], argument: object, **options: Any) -> None:
    """Start an expiry workflow that outlives its case; one that runs already is left alone."""
    with suppress(WorkflowAlreadyStartedError):
        await workflow.start_child_workflow(
            run, argument, parent_close_policy=ParentClosePolicy.ABANDON, **options
        )
