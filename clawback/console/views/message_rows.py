"""The messages of a case as rows: who sent what to whom, the verdict, and what became of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from clawback.actions import Move
from clawback.actions.outcomes import ALREADY_THERE, MOVED
from clawback.cases import CasePlan, CaseSnapshot
from clawback.console.sources.present_mail import PresentState
from clawback.console.views.mail_text import show_address, show_mail_text
from clawback.console.views.times import Clock, ShownTime
from clawback.model.messages import Target

PAGE_SIZE = 50


@dataclass(frozen=True)
class MessageRow:
    """One message. `path` is empty for people who may not see more of it.

    `verdict_now` and `folder_now` are what Cloudflare says now, if somebody asked a moment ago.
    """

    id: str
    path: str
    at: ShownTime
    subject: str
    sender: str
    sender_name: str
    authentication: str
    mailbox: str
    verdict: str
    folder: str
    outcomes: tuple[str, ...]
    is_new: bool
    is_protected: bool
    verdict_now: str = ""
    folder_now: str = ""
    is_changed: bool = False


@dataclass(frozen=True)
class RowContext:
    """What all rows of one page have in common. `path` is that of the page of the case.

    `present` is what is known of messages now, by their id.
    """

    plan: CasePlan
    memory: CaseSnapshot
    clock: Clock
    path: str
    query: str
    may_open: bool
    new: Collection[str] = ()
    present: Mapping[str, PresentState] = field(default_factory=dict)


@dataclass(frozen=True)
class PresentForm:
    """The form that reads what messages are now. Without a path the person may not."""

    path: str = ""
    said: str = ""
    problem: str = ""


def build_rows(targets: Sequence[Target], context: RowContext) -> tuple[MessageRow, ...]:
    """Build the rows of one page."""
    return tuple(_build_row(target, context) for target in targets)


def _build_row(target: Target, context: RowContext) -> MessageRow:
    results = list(_results(target.id, context))
    folders = [folder for _, folder in results if folder]
    quarantined = "quarantine" if target.quarantined else ""
    path = f"{context.path}/messages/{quote(target.id, safe='')}{context.query}"
    verdict, present = show_mail_text(target.verdict) or "none", context.present.get(target.id)
    verdict_now = show_mail_text(present.verdict) if present else ""
    return MessageRow(
        id=target.id,
        path=path if context.may_open else "",
        at=context.clock.show(target.at),
        subject=show_mail_text(target.subject) or "(no subject)",
        sender=show_address(target.sender) or "(no sender)",
        sender_name=show_mail_text(target.sender_name),
        authentication=show_mail_text(target.authentication),
        mailbox=show_address(target.mailbox),
        verdict=verdict,
        folder=folders[-1] if folders else quarantined,
        outcomes=tuple(text for text, _ in results),
        is_new=target.id in context.new,
        is_protected=target.protected,
        verdict_now=verdict_now,
        folder_now=(show_mail_text(present.folder) or "not moved") if present else "",
        is_changed=bool(verdict_now) and verdict_now.upper() != verdict.upper(),
    )


def _results(id_: str, context: RowContext) -> Iterator[tuple[str, str]]:
    """Yield what each action did with a message, and the folder where that has put it."""
    described = context.plan.descriptions
    for index, outcomes in enumerate(context.memory.outcomes):
        if (outcome := outcomes.get(id_)) is None:
            continue
        action = context.plan.all_actions[index]
        is_there = isinstance(action, Move) and outcome in {MOVED, ALREADY_THERE}
        folder = action.destination.value if is_there and isinstance(action, Move) else ""
        text = show_mail_text(f"{described[index]}: {outcome.replace('_', ' ')}")
        yield text, folder
