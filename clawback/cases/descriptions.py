"""What an act is done to, and how an action is said in a few words."""

from clawback.actions import (
    Action,
    BlockSender,
    BulkMove,
    Move,
    NotificationAction,
    PolicyAction,
    Reclassify,
    Release,
    TellReporter,
)
from clawback.cases.state import ActionStep
from clawback.model.durations import format_duration


def subjects(act: ActionStep) -> tuple[str, ...]:
    """What the outcomes of an act are keyed by: investigate ids, or the pattern of a block."""
    if isinstance(act.action, BlockSender):
        return (act.action.pattern,)
    if isinstance(act.action, PolicyAction):
        return (act.action.label,)
    return tuple(target.id for target in act.targets) or ("",)


def describe(action: Action) -> str:
    """Say an action in a few words, for records and lists."""
    match action:
        case Move():
            return f"move to {action.destination}"
        case Reclassify():
            return f"reclassify as {action.disposition}"
        case BlockSender():
            terms = ", then ".join(format_duration(term) for term in action.expires_after)
            return f"block {action.kind} for {terms}"
        case BulkMove():
            return (
                f"search the last {format_duration(action.since)} and move to {action.destination}"
            )
        case Release():
            return "release from the quarantine"
        case PolicyAction():
            return action.said


def describe_notification(action: NotificationAction) -> str:
    """Describe who is notified, and when."""
    if isinstance(action, TellReporter):
        return f"tell the reporter by {action.channel} when done"
    screenshot = ", with a screenshot" if action.screenshot else ""
    return f"notify {action.channel} when {', '.join(action.when)}{screenshot}"


def in_full(action: Action) -> str:
    """Say an action to somebody who must agree to it.

    With whom it blocks or lets off, or what was searched for.
    """
    match action:
        case BlockSender():
            return f"{describe(action)}: {action.pattern}"
        case PolicyAction():
            return f"{describe(action)}: {action.label}"
        case BulkMove():
            searched = ", ".join(
                filter(
                    None,
                    (
                        action.sender and f"from {action.sender}",
                        action.subject and f"subject {action.subject!r}",
                    ),
                )
            )
            return f"{describe(action)}: {searched}"
        case _:
            return describe(action)


def change_of(act: ActionStep, subject: str) -> dict[str, str | None]:
    """Say what an act changes about one of its subjects, for the audit.

    From what, as far as it is known, to what.
    """
    match act.action:
        case Move() | BulkMove():
            return {"after": act.action.destination.value}
        case Reclassify():
            verdict = next((target.verdict for target in act.targets if target.id == subject), None)
            return {"before": verdict, "after": act.action.disposition.value}
        case _:
            return {}
