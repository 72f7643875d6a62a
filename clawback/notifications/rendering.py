"""Renders notifications as plain text, from the context of a case and the template of its rule.

A rule's template has `{word}` placeholders, each looked up once, so that a value from mail can
never act as a template. The default texts are Jinja templates in `templates/`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from clawback.actions import CASE_WORDS, InstallationOccasion, Occasion
from clawback.cases import NotificationContext, NotificationStep
from clawback.cases.digest import Digest
from clawback.model.texts import bounded
from clawback.notifications.defang import defang
from clawback.temporal.console_links import PageLinks

MAX_TEXT = 6000
_NO_LINKS = PageLinks()
_MAX_SUBJECT = 200
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_DESCRIPTIONS = {
    "reclassified": "submitted for review",
    "already_there": "already there",
    "gone": "no longer in the mailbox",
    "unknown": "unknown (it could not be verified)",
    "done": "taken back",
    "would": "would have been done",
}
_SUMMARIES: Mapping[Occasion | InstallationOccasion, str] = {
    Occasion.HELD: "Held: waiting for approval",
    Occasion.DENIED: "Denied: no further action",
    Occasion.EXPIRED: "Expired: nobody answered in time, no further action",
    InstallationOccasion.STOPPED: "Stopped",
    InstallationOccasion.RESUMED: "Resumed",
    InstallationOccasion.RULE_DEMOTED: "Demoted: its cases wait for approval",
    InstallationOccasion.RULE_CONFIRMED: "Confirmed: it acts again without approval",
    InstallationOccasion.GUARD_LOST: "Lost: containment is stopped",
}
_REPORTS = {Occasion.DONE: "Done", Occasion.FAILED: "Failed in part", Occasion.UNDONE: "Undone"}
_MEANINGS = {
    InstallationOccasion.STOPPED: "No change leaves any worker until containment is resumed: "
    "clawback resume. Polling, planning and undo go on.",
    InstallationOccasion.RESUMED: "What waited is acted on now. Held cases stay held.",
    InstallationOccasion.RULE_DEMOTED: "Its work was undone. Look at what it matched, then: "
    "clawback rules confirm {rule}",
    InstallationOccasion.GUARD_LOST: "Find out why the guard was lost or reset, then: "
    "clawback resume",
}
_REPORTER_SUBJECT = "Thank you for your report"
_TEMPLATES = Environment(
    loader=PackageLoader("clawback.notifications"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class RenderedNotification:
    """A notification as plain text.

    `id` is the same for every attempt, `at` when it was due. `context` is what it reports, `digest`
    what waited during quiet hours: one of them is set. `link_label` is what a button with the link
    says. `reporter` is the address it goes to, if it is for one reporter. `screenshot` is a PNG,
    `document` the whole case where the channel wants it.
    """

    id: str
    subject: str
    text: str
    at: datetime
    context: NotificationContext | None = None
    digest: Digest | None = None
    link: str | None = None
    link_label: str = ""
    reporter: str | None = None
    screenshot: bytes | None = field(default=None, repr=False)
    document: Mapping[str, Any] | None = field(default=None, repr=False)
    audit_head: str = ""


def render_notification(
    step: NotificationStep,
    links: PageLinks = _NO_LINKS,
    screenshot: bytes | None = None,
    missing: str | None = None,
    audit_head: str = "",
) -> RenderedNotification:
    """Render a notification.

    Args:
        step: what to report, and by which action of the rule.
        links: builds the link to what it reports.
        screenshot: the picture of the first message, if there is one to send.
        missing: a sentence on why a requested screenshot is missing, added to the text.
        audit_head: the published head of the audit, for people to keep; empty if unknown.

    """
    context, action = step.context, step.action
    link = _find_page(context, links)
    words = _case_words(context, link)
    group = {name: defang(value or "") for name, value in context.group.items()}
    fields = words | group

    if action.is_for_reporters:
        subject = _fill(action.subject_template or _REPORTER_SUBJECT, fields)
        default = "reporter.txt"
    else:
        subject, default = words["summary"], _template_of(context)

    text = (
        _fill(action.template, fields)
        if action.template
        else _TEMPLATES.get_template(default).render(
            words,
            approvers=context.approvers,
            meaning=_describe_meaning(context),
            moved_while_held=context.moved_while_held,
            group=group,
        )
    )
    if step.escalated_from:
        subject, text = f"Unanswered: {subject}", f"{_describe_escalation(step)}\n{text}"
    text = bounded(text + (f"\n\n{missing}" if missing else ""), MAX_TEXT)
    if audit_head and not action.is_for_reporters:
        # After the cut, and never from a template: it must arrive whatever the rule says.
        text += f"\nAudit head: {audit_head}"

    return RenderedNotification(
        id=step.id,
        subject=" ".join(subject.split())[:_MAX_SUBJECT],
        text=text,
        at=context.at,
        context=context,
        link=link,
        link_label=_label_of(context),
        reporter=step.reporter,
        screenshot=screenshot,
        audit_head=audit_head,
    )


def _describe_escalation(step: NotificationStep) -> str:
    return f"Nobody has answered in {', '.join(step.escalated_from)}."


def _label_of(context: NotificationContext) -> str:
    if context.is_installation:
        return "Open the rule" if context.rule else "Open operations"
    return "Open the undo" if context.is_undo else "Open the case"


def _template_of(context: NotificationContext) -> str:
    if context.is_installation:
        return "installation.txt"
    return "undo.txt" if context.is_undo else "case.txt"


def _describe_meaning(context: NotificationContext) -> str:
    """Say what an occasion of the installation means, and what to do."""
    if not isinstance(context.occasion, InstallationOccasion):
        return ""
    return _MEANINGS.get(context.occasion, "").replace("{rule}", context.rule)


def _find_page(context: NotificationContext, links: PageLinks) -> str | None:
    if context.is_installation:
        return links.rule_page(context.rule) if context.rule else links.operations_page
    run = context.uid.rpartition("/")[2]
    page = links.undo_page if context.is_undo else links.case_page
    return page(context.case, run)


def summarize(context: NotificationContext) -> str:
    """Summarize the state of the case in one line: level, title, counted outcomes."""
    return f"[{context.level or 'medium'}] {context.title or context.rule}: {_status(context)}"


def _status(context: NotificationContext) -> str:
    if (summary := _SUMMARIES.get(context.occasion)) is not None:
        return summary
    if not context.actions:
        return "Matched"

    totals = Counter[str]()
    for action in context.actions:
        for outcome, count in action.outcomes.items():
            totals[_describe_kind(outcome)] += count

    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(totals.items()))
    report = _REPORTS.get(Occasion(context.occasion), "Done")
    return (
        f"{report}{', with late arrivals' if context.is_late else ''}: {counts or 'nothing to do'}"
    )


def _action_lines(context: NotificationContext) -> Iterator[str]:
    for action in context.actions:
        if not action.outcomes and context.proposes:
            continue  # it is part of what an approval does
        counts = ", ".join(
            f"{count} {_describe_outcome(outcome)}"
            for outcome, count in sorted(action.outcomes.items())
        )
        yield f"{action.action}: {counts or 'nothing yet'}"


def _describe_inaction(context: NotificationContext) -> str:
    return "nothing was done yet" if context.proposes else "no action was needed"


def _describe_outcome(outcome: str) -> str:
    kind, _, reason = outcome.partition(":")
    if kind == "failed":
        return f"failed ({reason.replace('_', ' ')})"
    return _DESCRIPTIONS.get(kind, kind)


def _describe_kind(outcome: str) -> str:
    return _describe_outcome(outcome).partition(" (")[0]


def _case_words(context: NotificationContext, link: str | None) -> dict[str, str]:
    first = context.first
    words = {
        "case": context.case,
        "rule": context.rule,
        "title": context.title or context.rule,
        "level": context.level,
        "occasion": context.occasion.value,
        "summary": summarize(context),
        "done": "\n".join(_action_lines(context)) or _describe_inaction(context),
        "messages": str(context.messages),
        "mailboxes": str(context.mailboxes),
        "events": str(context.events),
        "subject": defang((first and first.subject) or ""),
        "sender": defang((first and first.sender) or ""),
        "sender_name": defang((first and first.sender_name) or ""),
        "authentication": defang(first.authentication if first else ""),
        "mailbox": defang((first and first.mailbox) or ""),
        "why": "; ".join(map(defang, context.why)),
        "on_approval": "; ".join(map(defang, context.proposes)),
        "deadline": f"{context.answer_by:%Y-%m-%d %H:%M} UTC" if context.answer_by else "",
        "reason": defang(context.reason),
        "approved_by": ", ".join(map(defang, context.decided_by)),
        "link": link or "",
    }

    return {word: words[word] for word in CASE_WORDS}


def _fill(template: str, fields: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: fields.get(match[1], ""), template)
