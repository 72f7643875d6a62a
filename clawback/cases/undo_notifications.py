"""What people are told about an undo that waits for a second person."""

from collections.abc import Iterator
from datetime import datetime

from clawback.actions import Notify, Occasion
from clawback.cases.state import Decision, NotificationContext, NotificationStep
from clawback.cases.undo_judgement import UndoHold, describe_cases
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


def describe_request(hold: UndoHold) -> str:
    """Say who wants to take back how much, why, and why that needs a second person."""
    found = hold.assessment
    return (
        f"{hold.actor.label} wants to take back {plural(found.changes, 'change')} of "
        f"{describe_cases(found.cases, found.parts)}, "
        f"{plural(found.messages, 'message')} of them to the inbox"
        f" ({hold.reason or 'no reason given'}): {'; '.join(found.reasons)}"
    )
