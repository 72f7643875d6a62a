"""The dry run of an undo as a table, and the progress of one that was started."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from clawback.cases.undo_judgement import MALICIOUS, UNKNOWN, UndoHold
from clawback.cases.undo_plan import UndoBasis
from clawback.console.requests.undo_selection import UndoPreview
from clawback.console.views.mail_text import show_address, show_mail_text
from clawback.console.views.times import ShownTime, show_time
from clawback.console.views.undo_list import (
    describe_progress,
    describe_what,
    finished,
    total,
)
from clawback.model.messages import Target
from clawback.model.texts import plural
from clawback.temporal.undo_gateway import UndoCandidate
from clawback.temporal.undo_runs import UndoReading

PAGE_SIZE: Final = 50
_MOST_NAMED: Final = 20


@dataclass(frozen=True)
class UndoRow:
    """One thing that an undo takes back, or cannot. `note` says what is special about it.

    Of a message, `who` are sender and mailbox, and `subject` is empty if it could not be read.
    """

    case: str
    case_path: str
    subject: str
    who: str
    detail: str
    now: str
    after: str
    note: str
    css: str


@dataclass(frozen=True)
class UndoView:
    """The dry run of an undo. `problem` says why the last try started nothing."""

    heading: str
    what: str
    back_path: str
    action: str
    fields: tuple[tuple[str, str], ...]
    sentence: str
    notes: tuple[str, ...]
    holds: tuple[str, ...]
    rows: tuple[UndoRow, ...]
    range: str
    next_path: str
    unreadable: tuple[str, ...]
    digest: str
    key: str
    reason: str
    problem: str
    confirm: str


@dataclass(frozen=True)
class UndoProgressView:
    """How far an undo is. `holds` is empty unless it waits for a second person.

    If it `is_live`, the page reads itself again: not where somebody may be typing a reason.
    """

    heading: str
    path: str
    by: str
    reason: str
    started: ShownTime
    state: str
    done: str
    most: str
    percent: str
    is_running: bool
    is_live: bool
    holds: tuple[str, ...]
    hold_sums: str
    expires: ShownTime | None
    digest: str
    may_decide: bool
    why_not: str
    problem: str


def build_undo(
    preview: UndoPreview,
    *,
    first: int,
    key: str,
    reason: str = "",
    problem: str = "",
) -> UndoView:
    """Build the dry run, with one page of its rows that starts at a number."""
    found, judged = preview.found, preview.judgement.assessment
    verdicts = preview.judgement.verdicts
    every = _rows(found.candidates, verdicts, preview.judgement.subjects)
    rows = tuple(islice(every, first, first + PAGE_SIZE))
    size = sum(_count_rows(one) for one in found.candidates)
    has_more = first + PAGE_SIZE < size
    path = preview.selection.path
    separator = "&" if "?" in path else "?"
    ends = sum(one.is_open for one in found.candidates) if preview.scope.ends_cases else 0
    what, keys = preview.selection.describe(), preview.selection.keys
    changes = plural(judged.changes, "change")
    return UndoView(
        heading=f"Undo {what}",
        what=what,
        back_path=keys[0].path if len(keys) == 1 else "/history",
        action="/undo",
        fields=preview.selection.fields,
        sentence=_describe_whole(preview),
        notes=tuple(_notes(preview, ends)),
        holds=judged.reasons,
        rows=rows,
        range=f"{first + 1:,} to {first + len(rows):,} of {size:,}" if rows else "",
        next_path=f"{path}{separator}after={first + PAGE_SIZE}" if has_more else "",
        unreadable=tuple(
            f"{one.case}: {show_mail_text(one.why)}" for one in found.unreadable[:_MOST_NAMED]
        ),
        digest="" if preview.is_empty else preview.digest,
        key=key,
        reason=show_mail_text(reason, 2_000),
        problem=problem,
        confirm="Ask for this undo" if judged.reasons else f"Undo {changes}",
    )


def build_progress(  # noqa: PLR0913 - what the page shows
    reading: UndoReading,
    *,
    now: datetime,
    zone: ZoneInfo,
    person: tuple[str, str, str],
    may_decide: bool,
    problem: str = "",
) -> UndoProgressView:
    """Build the progress of an undo; `person` is whoever looks at it."""
    run, hold = reading.run, reading.progress.hold
    done, most = finished(reading.progress), max(total(reading), 1)
    is_own = hold is not None and hold.actor.identity.person == person
    can_decide = hold is not None and may_decide and not is_own
    return UndoProgressView(
        heading=f"Undo of {describe_what(reading)}",
        path=f"/undo/{run.number}",
        by=show_mail_text(run.note.by) or "somebody",
        reason=show_mail_text(run.note.reason),
        started=show_time(run.started_at, now, zone),
        state=describe_progress(reading),
        done=str(done),
        most=str(most),
        percent=f"{100 * done // most} %",
        is_running=run.ended_at is None,
        is_live=run.ended_at is None and not can_decide,
        holds=hold.assessment.reasons if hold else (),
        hold_sums=_describe_hold(hold) if hold else "",
        expires=show_time(hold.expires_at, now, zone) if hold else None,
        digest=hold.assessment.digest if hold else "",
        may_decide=can_decide,
        why_not="You asked for it: another person must agree." if is_own else "",
        problem=problem,
    )


def _describe_hold(hold: UndoHold) -> str:
    found = hold.assessment
    verdicts = ", ".join(f"{count:,} {name}" for name, count in found.verdicts.items())
    shown = f"; present verdicts: {verdicts}" if verdicts else ""
    return (
        f"It takes back {plural(found.changes, 'change')} of {plural(found.cases, 'case')}, "
        f"{plural(found.messages, 'message')} of them to the inbox{shown}."
    )


def _describe_whole(preview: UndoPreview) -> str:
    judged = preview.judgement.assessment
    if preview.is_empty:
        return "There is nothing to undo: nothing of this took effect, or it was taken back."
    sentence = (
        f"This takes back {plural(judged.changes, 'change')} of {plural(judged.cases, 'case')}; "
        f"{plural(judged.messages, 'message')} {'returns' if judged.messages == 1 else 'return'} "
        "to the inbox."
    )
    if unread := preview.found.unread:
        messages = sum(one.messages for one in unread)
        sentence += (
            f" {plural(len(unread), 'more case')} with {plural(messages, 'message')} are not in "
            "this table: their histories are read before they are undone."
        )
    return sentence


def _notes(preview: UndoPreview, ends: int) -> Iterator[str]:
    judged = preview.judgement.assessment
    if judged.messages:
        counts = sorted(judged.verdicts.items(), key=lambda one: -one[1])
        yield "Present verdicts: " + ", ".join(f"{count:,} {name}" for name, count in counts) + "."
    yield from map(show_mail_text, preview.judgement.notes)
    if ends:
        yield f"The undo ends {plural(ends, 'open case')}."
    if not preview.scope.ends_cases and not preview.is_empty:
        yield "Only these messages are undone: their cases go on, and blocks stay."
    if rules := sorted({one.plan.rule for one in preview.found.candidates if one.plan.size}):
        named = ", ".join(rules[:3]) + (", …" if len(rules) > 3 else "")  # noqa: PLR2004
        yield f"Further cases of {named} are held until an operator confirms the rule."
    if sent := sum(one.plan.notifications for one in preview.found.candidates):
        yield f"{plural(sent, 'notification')} cannot be taken back: tell people if they must know."
    if preview.found.unreadable:
        yield f"{plural(len(preview.found.unreadable), 'case')} cannot be read, and is left out."


def _count_rows(one: UndoCandidate) -> int:
    return one.plan.size + len(one.plan.irreversible)


def _rows(
    candidates: Sequence[UndoCandidate], verdicts: Mapping[str, str], subjects: Mapping[str, str]
) -> Iterator[UndoRow]:
    for one in candidates:
        yield from _rows_of_case(one, verdicts, subjects)


def _rows_of_case(
    one: UndoCandidate, verdicts: Mapping[str, str], subjects: Mapping[str, str]
) -> Iterator[UndoRow]:
    _, rule, hash_, *_ = one.plan.case.split("/")
    case, path = f"{rule} {hash_[:8]}", f"/cases/{rule}/{hash_}?run={one.case.run[:8]}"
    places = _places(one.basis)

    for target in one.plan.messages:
        verdict = verdicts.get(target.id, UNKNOWN)
        is_malicious = verdict in MALICIOUS
        yield UndoRow(
            case=case,
            case_path=path,
            subject=show_mail_text(subjects.get(target.id)),
            who=_describe_way(target),
            detail=target.id,
            now=f"{places.get(target.id, 'moved')}, verdict {show_mail_text(verdict)}",
            after="Inbox",
            note="malicious now: a second person must agree" if is_malicious else "",
            css="danger-text" if is_malicious else "",
        )
    for policy in one.plan.policies:
        now = "on the list of the account"
        note = "removed only if it is still ours"
        what = show_mail_text(policy.describe_in_full())
        yield UndoRow(case, path, what, "", "", now, "removed", note, "")
    for correction in one.plan.corrections:
        target = correction.target
        yield UndoRow(
            case=case,
            case_path=path,
            subject=show_mail_text(subjects.get(target.id)),
            who=_describe_way(target),
            detail=target.id,
            now="reclassified",
            after=f"reclassified as {correction.disposition}",
            note="cannot be withdrawn: an opposite one is sent",
            css="",
        )
    for text in one.plan.irreversible:
        what, why = show_mail_text(text), "it has no inverse"
        yield UndoRow(case, path, what, "", "", "took effect", "stays", why, "warn-text")


def _describe_way(target: Target) -> str:
    return f"{show_address(target.sender)} → {show_address(target.mailbox)}"


def _places(basis: UndoBasis) -> dict[str, str]:
    """Say where each message was moved to, by its id."""
    places: dict[str, str] = {}
    for change in basis.changes:
        if change.index >= len(basis.actions):
            continue
        action = basis.actions[change.index]
        for subject in change.subjects:
            target: Target | None = basis.targets.get(subject)
            if target is not None and (after := action.audit_change(target).get("after")):
                places.setdefault(subject, after)
    return places
