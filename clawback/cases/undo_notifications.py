"""What people are told about an undo: that it waits for a second person, and what it did."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from clawback.actions import Notify, Occasion
from clawback.cases.state import ActionSummary, Decision, NotificationContext, NotificationStep
from clawback.cases.undo_judgement import UndoHold, describe_cases
from clawback.cases.undo_plan import UndoScope
from clawback.model.level import Level
from clawback.model.texts import bounded, plural


def notify_hold(  # noqa: PLR0913 - what a notification reports
    undo: str,
    run: str,
    hold: UndoHold,
    occasion: Occasion,
    now: datetime,
    *,
    sent: int = 0,
    decision: Decision | None = None,
) -> Iterator[NotificationStep]:
    """Build one notification for each channel; `sent` counts those before.

    `undo` is the id of the workflow, and `run` its run.
    """
    is_held = occasion is Occasion.HELD
    context = NotificationContext(
        case=undo,
        uid=f"{undo}/{run}",
        rule="",
        title=f"Undo by {hold.actor.label}",
        level=Level.HIGH,
        occasion=occasion,
        at=now,
        messages=hold.assessment.messages,
        reason=bounded(describe_request(hold)),
        decided_by=(decision.actor.label,) if decision is not None else (),
        answer_by=hold.expires_at if is_held else None,
        is_undo=True,
    )
    for number, channel in enumerate(hold.assessment.channels):
        yield NotificationStep(
            action=Notify(channel=channel),
            index=number,
            number=sent + number,
            episode=f"{occasion} {hold.held_at:%FT%TZ}",
            context=context,
        )


def notify_result(  # noqa: PLR0913 - what a notification reports
    undo: str,
    run: str,
    scope: UndoScope,
    *,
    cases: int,
    outcomes: Mapping[str, int],
    pages: int,
    now: datetime,
    channels: Sequence[str],
    sent: int,
) -> Iterator[NotificationStep]:
    """Build one notification for each channel about what an undo did.

    `outcomes` are counted over all its `cases`; `pages` says how many workflows the undo has,
    `sent` counts the notifications before.
    """
    page = f", page {undo.rpartition('/')[2]} of {pages}" if pages > 1 else ""
    context = NotificationContext(
        case=undo,
        uid=f"{undo}/{run}",
        rule="",
        title=f"Undo by {scope.actor.label}{page}",
        level=Level.HIGH,
        occasion=Occasion.UNDONE,
        at=now,
        actions=(ActionSummary(action=f"undo {plural(cases, 'case')}", outcomes=dict(outcomes)),),
        reason=bounded(scope.reason),
        is_undo=True,
    )
    for number, channel in enumerate(channels):
        yield NotificationStep(
            action=Notify(channel=channel),
            index=number,
            number=sent + number,
            episode=Occasion.UNDONE,
            context=context,
        )


def describe_request(hold: UndoHold) -> str:
    """Say who wants to take back how much, why, and why that needs a second person."""
    found = hold.assessment
    return (
        f"{hold.actor.label} wants to take back {plural(found.changes, 'change')} of "
        f"{describe_cases(found.cases, found.parts)}, "
        f"{plural(found.messages, 'message')} of them to the inbox"
        f" ({hold.reason or 'no reason given'}): {'; '.join(found.reasons)}"
    )
