"""How what a case would do differs from what a person saw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clawback.cases.proposal import ProposalChange
from clawback.console.views.mail_text import show_address, show_mail_text
from clawback.model.messages import Target
from clawback.model.texts import plural

_MOST_NAMED = 10


@dataclass(frozen=True)
class ChangeView:
    """What is new since the digest that somebody saw; texts are finished.

    `summary` is one line, `added` and `removed` name messages, `actions` say what it would do now.
    """

    summary: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    added_ids: tuple[str, ...] = ()


def build_change(change: ProposalChange, targets: Mapping[str, Target]) -> ChangeView:
    """Build what is shown of a change."""
    if change.shown_at is None:
        count = plural(len(change.current.messages), "message")
        return ChangeView(
            f"It is not what you saw. All of it, {count}, is what you decide about now.",
            actions=tuple(map(show_mail_text, change.current.actions)),
        )
    parts = []
    if change.added:
        parts.append(f"{plural(len(change.added), 'message')} more than you saw")
    if change.removed:
        parts.append(f"{plural(len(change.removed), 'message')} no longer included")
    if change.new_actions or change.old_actions:
        parts.append("other actions")
    return ChangeView(
        "; ".join(parts) or "The same messages and actions, under another rule version",
        added=_name(change.added, targets),
        removed=_name(change.removed, targets),
        actions=tuple(map(show_mail_text, change.new_actions)),
        added_ids=change.added,
    )


def _name(ids: Iterable[str], targets: Mapping[str, Target]) -> tuple[str, ...]:
    known = list(ids)
    named = [describe_message(id_, targets.get(id_)) for id_ in known[:_MOST_NAMED]]
    more = [f"and {len(known) - _MOST_NAMED:,} more"] if len(known) > _MOST_NAMED else []
    return (*named, *more)


def describe_message(id_: str, target: Target | None) -> str:
    """Name a message by subject, sender and mailbox; by its id, if nothing else is known."""
    if target is None:
        return show_mail_text(id_)
    subject = show_mail_text(target.subject) or "(no subject)"
    return f"{subject} · {show_address(target.sender)} → {show_address(target.mailbox)}"
