"""What an act is done to, and how an action is said in a few words."""

from clawback.actions import Action, BlockSender, Move, Reclassify
from clawback.cases.state import Act
from clawback.durations import format_duration


def subjects(act: Act) -> tuple[str, ...]:
    """What the outcomes of an act are keyed by: investigate ids, or the pattern of a block."""
    if isinstance(act.action, BlockSender):
        return (act.action.pattern,)
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


def in_full(action: Action) -> str:
    """Say an action to somebody who must agree to it: with whom it blocks."""
    return f"{describe(action)}: {action.pattern}" if isinstance(action, BlockSender) else describe(action)
