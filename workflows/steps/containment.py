"""Which step carries out which action. Every outcome is certain, or recorded as unknown."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from clawback.actions import (
        AllowSender,
        BaseAction,
        BlockSender,
        BulkMove,
        Move,
        ProtectIdentity,
        Reclassify,
        Release,
        TrustDomain,
    )
    from clawback.cases import ActionStep
    from workflows.steps.attempts import is_approved
    from workflows.steps.context import StepContext
    from workflows.steps.messages import move_messages, release_messages
    from workflows.steps.policy import block_sender, create_policy
    from workflows.steps.reclassify import reclassify_first

STEPS: Mapping[type[BaseAction], Callable[[Any, Any, StepContext], Awaitable[dict[str, str]]]] = {
    Move: move_messages,
    BulkMove: move_messages,
    Release: release_messages,
    Reclassify: reclassify_first,
    BlockSender: block_sender,
    AllowSender: create_policy,
    TrustDomain: create_policy,
    ProtectIdentity: create_policy,
}


async def carry_out(step: ActionStep, context: StepContext) -> dict[str, str]:
    """Carry out a step of a case; give one outcome for each of its subjects."""
    # Every attempt of the step reads it; the next step sets it again.
    is_approved.set(step.approved)
    return await STEPS[type(step.action)](step.action, step.targets, context)
