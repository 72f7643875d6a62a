"""What an act is done to, and how an action is said in a few words."""

from clawback.actions import Action, BlockSender, Move, Notice, PolicyAction, Reclassify, Release, TellReporter
from clawback.cases.state import Act
from clawback.durations import format_duration


def subjects(act: Act) -> tuple[str, ...]:
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
        case Release():
            return "release from the quarantine"
        case PolicyAction():
            return action.said


def describe_notice(notice: Notice) -> str:
    """Say in a few words whom a notice tells, and when."""
    if isinstance(notice, TellReporter):
        return f"tell the reporter by {notice.channel} when done"
    return f"notify {notice.channel} when {', '.join(notice.when)}{', with a screenshot' if notice.screenshot else ''}"


def in_full(action: Action) -> str:
    """Say an action to somebody who must agree to it: with whom it blocks or lets off."""
    about = action.pattern if isinstance(action, BlockSender) else action.label if isinstance(action, PolicyAction) else ""
    return f"{describe(action)}: {about}" if about else describe(action)


def change_of(act: Act, subject: str) -> dict[str, str | None]:
    """Say what an act changes about one of its subjects, for the audit: from what, as far as it is known, to what."""
    match act.action:
        case Move():
            return {"after": act.action.destination.value}
        case Reclassify():
            verdict = next((target.verdict for target in act.targets if target.id == subject), None)
            return {"before": verdict, "after": act.action.disposition.value}
        case _:
            return {}
