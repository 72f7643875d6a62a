"""Policies, sender blocks included: created once on lists without unique keys, then expired."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.policies import (
        ClaimPolicy,
        CreatePolicy,
        FoundPolicy,
        PolicyActivities,
        PolicyOutcomes,
    )
    from clawback.actions import BlockSender, PolicyAction
    from clawback.actions.outcomes import ALREADY_THERE, UNKNOWN, failed
    from clawback.model.claims import NEVER, Claim, Claims
    from clawback.model.messages import Target
    from clawback.model.policies import ExpiringBlock, ExpiringPolicy, OwnedBlock, OwnedPolicy
    from clawback.temporal import names
    from workflows.block_expiry import BlockExpiryWorkflow
    from workflows.options import CLAIM_PAUSE, MOST_CLAIM_ATTEMPTS
    from workflows.policy_expiry import PolicyExpiryWorkflow
    from workflows.steps.attempts import Answered, Attempts, Impossible, verify
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
            claims=Claims(kept=(_claim(context, expires_at),)),
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
            id=block_id,
            owner=context.owner,
            pattern=action.canonical,
            kind=action.kind,
            variants=action.variants,
        )
        expiring = ExpiringBlock(
            block=block,
            claims=Claims(kept=(_claim(context, expires_at),)),
            rule=context.rule,
            case=context.case_id,
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
    claim = _claim(context, expires_at or NEVER)
    found = await _create_once(request, claim, context)
    if found is None:
        return {}
    if isinstance(found, str):
        return {action.label: found}

    if found.id is not None and expires_at is not None:
        await start_expiry(found.id, expires_at)

    return {action.label: action.created_outcome}


async def _create_once(
    request: CreatePolicy, claim: Claim, context: StepContext
) -> FoundPolicy | str | None:
    """Search before every attempt. Give our entry, or the outcome if there is none of ours.

    The entry of another case is claimed.
    """
    attempts, claimed = context.attempts(), 0
    while attempts.may_continue:
        found = await _find_or_create(request, attempts)
        if not isinstance(found, FoundPolicy):
            if found is not None:
                return found
            continue

        if found.is_mine:
            return found
        if not found.owner or claimed >= MOST_CLAIM_ATTEMPTS:
            return ALREADY_THERE
        claimed += 1
        if (outcome := await _claim_entry(request, found, claim, attempts)) is not None:
            return outcome

    return attempts.outcome_of_giving_up


async def _find_or_create(request: CreatePolicy, attempts: Attempts) -> FoundPolicy | str | None:
    """Give the entry that there is now, or the outcome; None: search again."""
    found = await verify(PolicyActivities.find_policy, request)
    if not isinstance(found, FoundPolicy):
        return UNKNOWN
    if found.id:
        return found

    # A lost response needs no branch: the search of the next pass finds what it created.
    match await attempts.make(PolicyActivities.create_policy, request):
        case Answered(FoundPolicy() as created):
            return created
        case Impossible(why):
            return failed(why)
    return None


async def _claim_entry(
    request: CreatePolicy, found: FoundPolicy, claim: Claim, attempts: Attempts
) -> str | None:
    """Claim the entry of another case; give the outcome. None: search again."""
    claiming = ClaimPolicy(**dict(request), found=found, claim=claim)
    match await attempts.make(PolicyActivities.claim_policy, claiming):
        case Answered(PolicyOutcomes(outcomes=outcomes)) if outcomes:
            return outcomes[request.action.label]
        case Answered():
            await workflow.sleep(CLAIM_PAUSE, summary="while the entry is being removed")
        case Impossible(why):
            return failed(why)
    return None


def _claim(context: StepContext, expires_at: datetime) -> Claim:
    return Claim(
        owner=context.owner, expires_at=expires_at, rule=context.rule, case=context.case_id
    )


async def _start_child(run: Callable[..., Any], argument: object, **options: Any) -> None:
    """Start an expiry workflow that outlives its case; one that runs already is left alone."""
    with suppress(WorkflowAlreadyStartedError):
        await workflow.start_child_workflow(
            run, argument, parent_close_policy=ParentClosePolicy.ABANDON, **options
        )
