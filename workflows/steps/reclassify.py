"""Reclassifications: every call makes another submission, so none is repeated unchecked."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.containment import (
        ContainmentActivities,
        ReclassifyForCase,
        ReclassifyMessage,
    )
    from clawback.actions import Reclassify
    from clawback.actions.outcomes import ALREADY_THERE, RECLASSIFIED, UNKNOWN, failed
    from clawback.model.messages import Target
    from workflows.options import LOST_PAUSES, RECLASSIFY, VERIFY
    from workflows.steps.attempts import Answered, Attempts, Impossible, Lost, verify
    from workflows.steps.context import StepContext


async def reclassify_first(
    action: Reclassify, targets: Sequence[Target], context: StepContext
) -> dict[str, str]:
    """Reclassify the first message of the case."""
    request = ReclassifyForCase(
        target=targets[0],
        disposition=action.disposition,
        since=workflow.now(),
        action=action,
        authority=context.authority,
    )
    outcome = await reclassify(
        context.attempts(RECLASSIFY), ContainmentActivities.reclassify_message, request
    )
    return {} if outcome is None else {targets[0].id: outcome}


async def reclassify(
    attempts: Attempts,
    activity: Callable[..., Any],
    request: ReclassifyMessage,
    verify_options: Mapping[str, Any] = VERIFY,
) -> str | None:
    """Reclassify one message by an activity that takes the request; give the outcome.

    The activity returns False if somebody else has made the request. None: it must not leave.
    """
    while attempts.may_continue:
        match await attempts.make(activity, request):
            case Answered(made):
                return ALREADY_THERE if made is False else RECLASSIFIED
            case Impossible(why):
                return failed(why)
            case Lost():
                made = await _find_submission(request, verify_options)
                # None: the check failed as well, and another request could be a second submission.
                if made is not False:
                    return RECLASSIFIED if made else UNKNOWN

    return attempts.outcome_of_giving_up


async def _find_submission(
    request: ReclassifyMessage, verify_options: Mapping[str, Any]
) -> bool | None:
    """Look for the submission a few times: the API makes it some time after the request."""
    for pause in (timedelta(), *LOST_PAUSES):
        if pause:
            await workflow.sleep(pause, summary="before looking for the submission again")
        made: bool | None = await verify(
            ContainmentActivities.find_submission, request, verify_options
        )
        if made is not False:
            return made
    return False
