"""What is said: a notice put into words, from the facts of a case and the template of its rule."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from clawback.actions import CASE_WORDS, Notify, Occasion
from clawback.cases import NotificationContext, NotificationStep
from clawback.notifications.defang import defang
from clawback.temporal.ui_links import history_page

LONGEST = 6000
_WORD = re.compile(r"\{([^{}]*)\}")
_SAID = {
    "moved": "moved",
    "blocked": "blocked",
    "reclassified": "submitted for review",
    "already_there": "already there",
    "unknown": "unknown (nobody could tell whether it was done)",
    "would": "would have been done",
}
_SUMMARIES = {
    Occasion.HELD: "Held: it waits for somebody to approve or deny it",
    Occasion.DONE: "Done",
    Occasion.DENIED: "Denied: nothing more is done",
    Occasion.EXPIRED: "Expired: nobody answered in time, so nothing more is done",
}
_THANKS = """Thank you for reporting a message as suspicious.

We have looked into it, and this is what was done about it and its copies:

{done}

You need not do anything. If you have clicked a link in it, opened an attachment or answered it, tell your security team now.
"""
_THANKS_SUBJECT = "Thank you for your report"


@dataclass(frozen=True, slots=True)
class RenderedNotification:
    """One notice in words, plain text throughout.

    `id` is the same at every attempt; `to` is the reporter it is for, if for one.
    """

    id: str
    subject: str
    text: str
    facts: NotificationContext
    link: str | None = None
    to: str | None = None
    picture: bytes | None = field(default=None, repr=False)


def render_notification(
    step: NotificationStep,
    workflows_page: str = "",
    picture: bytes | None = None,
    without: str | None = None,
) -> RenderedNotification:
    """Put a notice into words.

    `without` says why a picture that was asked for is missing, and the text tells it.
    """
    facts, notice = step.context, step.action
    run = facts.uid.rpartition("/")[2]
    link = history_page(workflows_page, facts.case, run)
    words = _words(facts, link)
    if isinstance(notice, Notify):
        subject, text = words["summary"], notice.template or _default(facts)
    else:
        subject, text = notice.subject or _THANKS_SUBJECT, notice.template or _THANKS
    said = _filled(text, words) + (f"\n\n{without}" if without else "")
    return RenderedNotification(
        step.id,
        " ".join(_filled(subject, words).split())[:200],
        said[:LONGEST],
        facts,
        link,
        step.reporter,
        picture,
    )


def action_lines(facts: NotificationContext) -> Iterator[str]:
    """Say of each action what really came of it, with counts.

    Of one that nothing has come of, that.
    """
    for deed in facts.actions:
        counts = ", ".join(
            f"{count} {_said(outcome)}" for outcome, count in sorted(deed.outcomes.items())
        )
        yield f"{deed.action}: {counts or 'nothing yet'}"


def summary(facts: NotificationContext) -> str:
    """Say in one sentence what happened."""
    if facts.occasion is Occasion.DONE and facts.actions:
        total: dict[str, int] = {}
        for outcome, count in (pair for deed in facts.actions for pair in deed.outcomes.items()):
            total[_kind(outcome)] = total.get(_kind(outcome), 0) + count
        counts = (
            ", ".join(f"{count} {kind}" for kind, count in sorted(total.items())) or "nothing to do"
        )
        said = f"Done{', with late arrivals' if facts.is_late else ''}: {counts}"
    else:
        said = "Matched" if facts.occasion is Occasion.DONE else _SUMMARIES[facts.occasion]
    return f"[{facts.level or 'medium'}] {facts.title or facts.rule}: {said}"


def _default(facts: NotificationContext) -> str:
    return "\n".join(_lines(facts))


def _lines(facts: NotificationContext) -> Iterator[str]:
    yield "{summary}"
    yield "{done}"
    yield "Messages: {messages}, events: {events}, rule {rule}, level {level}"
    if facts.first and facts.first.sender:
        yield "First message: from {sender} to {mailbox}"
    if facts.reason:
        yield "Why: {reason}"
    if facts.decided_by:
        yield f"{'Denied' if facts.occasion is Occasion.DENIED else 'Approved'} by {{approved_by}}"
    if facts.answer_by:
        yield f"Without an answer it is denied at {facts.answer_by:%Y-%m-%d %H:%M} UTC: clawback case show {{case}}"
    for name in facts.group:
        yield f"{name}: {{{name}}}"
    yield "Case: {case}"


def _words(facts: NotificationContext, link: str | None) -> Mapping[str, str]:
    group = {name: defang(value or "") for name, value in facts.group.items()}
    ours = {
        "case": facts.case,
        "rule": facts.rule,
        "title": facts.title or facts.rule,
        "level": facts.level,
        "occasion": facts.occasion.value,
        "summary": summary(facts),
        "done": "\n".join(action_lines(facts)) or "nothing was to be done",
        "messages": str(facts.messages),
        "events": str(facts.events),
        "sender": defang((facts.first and facts.first.sender) or ""),
        "mailbox": defang((facts.first and facts.first.mailbox) or ""),
        "reason": defang(facts.reason),
        "approved_by": ", ".join(map(defang, facts.decided_by)),
        "link": link or "",
    }
    return {word: ours[word] for word in CASE_WORDS} | group


def _filled(template: str, words: Mapping[str, str]) -> str:
    """Fill a template; each word is looked up once, so that a value can never be a template."""
    return _WORD.sub(lambda found: words.get(found[1], ""), template)


def _said(outcome: str) -> str:
    kind, _, reason = outcome.partition(":")
    return f"failed ({reason.replace('_', ' ')})" if kind == "failed" else _SAID.get(kind, kind)


def _kind(outcome: str) -> str:
    kind = outcome.partition(":")[0]
    return "failed" if kind == "failed" else _SAID.get(kind, kind).partition(" (")[0]


def paragraphs(text: str, longest: int) -> Iterable[str]:
    """Cut a text into pieces that a channel takes, at line ends where there are any."""
    while text:
        cut = (
            len(text)
            if len(text) <= longest
            else text.rfind("\n", 1, longest)
            if "\n" in text[1:longest]
            else longest
        )
        yield text[:cut].strip("\n")
        text = text[cut:].lstrip("\n")
