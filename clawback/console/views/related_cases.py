"""What is known of a sender from other cases, and what people decided on them."""

from collections.abc import Iterable
from dataclasses import dataclass

from clawback.console.sources.read_model import ListedCase
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.times import Clock, ShownTime
from clawback.model.texts import plural

_MOST_SHOWN = 5


@dataclass(frozen=True)
class RelatedCase:
    """One similar case."""

    path: str
    at: ShownTime
    subject: str
    rule: str
    state: str
    decision: str
    why_related: str


@dataclass(frozen=True)
class RelatedCases:
    """Similar cases: those of the same group under any rule, and of the same sender's domain."""

    summary: str
    cases: tuple[RelatedCase, ...]
    sender: str


def build_related(case: ListedCase, every: Iterable[ListedCase], clock: Clock) -> RelatedCases:
    """Find similar cases, those that people decided first, then the newest."""
    domain = domain_of(case.sender)
    found = [
        one
        for one in every
        if one.key != case.key
        and (one.hash == case.hash or (domain and domain_of(one.sender) == domain))
    ]
    found.sort(key=lambda one: (one.decision is not None, one.opened_at), reverse=True)
    return RelatedCases(
        summary=_summarize(found, domain),
        cases=tuple(_show(one, case, clock) for one in found[:_MOST_SHOWN]),
        sender=_describe_sender(case, [case, *found], clock),
    )


def domain_of(address: str) -> str:
    """Return the domain of an address, for comparison."""
    return address.rpartition("@")[2].strip("<> ").casefold()


def _summarize(found: list[ListedCase], domain: str) -> str:
    if not found:
        return "No other case has this group or a sender of this domain."
    approved = sum(one.decision is not None and one.decision.what == "approved" for one in found)
    denied = sum(one.decision is not None and one.decision.what == "denied" for one in found)
    undone = sum(one.undone is not None for one in found)
    decided = [f"{approved:,} approved", f"{denied:,} denied"]
    if undone:
        decided.append(f"{undone:,} undone")
    shown = show_mail_text(domain) or "no known domain"
    return f"{plural(len(found), 'other case')} of this group or of {shown}: {', '.join(decided)}."


def _describe_sender(case: ListedCase, found: list[ListedCase], clock: Clock) -> str:
    same = [one for one in found if one.sender and one.sender == case.sender]
    if not same:
        return ""
    first = clock.show(min(one.opened_at for one in same))
    messages = sum(one.messages for one in same)
    return (
        f"This sender was first in a case {first.words} ({first.absolute}); since then in "
        f"{plural(len(same), 'case')} with {plural(messages, 'message')}."
    )


def _show(one: ListedCase, case: ListedCase, clock: Clock) -> RelatedCase:
    decision = ""
    if (note := one.undone or one.decision) is not None:
        reason = f": “{show_mail_text(note.reason)}”" if note.reason else ""
        decision = f"{note.what} by {', '.join(map(show_mail_text, note.by))}{reason}"
    return RelatedCase(
        path=one.path,
        at=clock.show(one.opened_at),
        subject=show_mail_text(one.subject) or one.short_id,
        rule=one.rule,
        state=one.state,
        decision=decision,
        why_related="same group" if one.hash == case.hash else "same domain",
    )
