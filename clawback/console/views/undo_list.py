"""How far an undo is, in words: for its own page and for lists of undos."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.times import ShownTime, show_time
from clawback.model.texts import plural
from clawback.temporal.undo_gateway import UndoProgress
from clawback.temporal.undo_runs import UndoReading


@dataclass(frozen=True)
class UndoEntry:
    """One undo in a list."""

    path: str
    what: str
    by: str
    reason: str
    at: ShownTime
    state: str
    is_running: bool
    done: str
    most: str


def build_entry(reading: UndoReading, now: datetime, zone: ZoneInfo) -> UndoEntry:
    """Build the line of one undo."""
    run = reading.run
    return UndoEntry(
        path=f"/undo/{run.number}",
        what=describe_what(reading),
        by=show_mail_text(run.note.by) or "somebody",
        reason=show_mail_text(run.note.reason),
        at=show_time(run.started_at, now, zone),
        state=describe_progress(reading),
        is_running=run.ended_at is None and reading.progress.hold is None,
        done=str(finished(reading.progress)),
        most=str(max(total(reading), 1)),
    )


def describe_what(reading: UndoReading) -> str:
    """Say what is undone."""
    note = reading.run.note
    return show_mail_text(note.what) or plural(note.cases, "case")


def describe_progress(reading: UndoReading) -> str:
    """Say how far an undo is, or what it came to."""
    run, undone = reading.run, reading.progress.undone
    if run.ended_at is None and reading.progress.hold is not None:
        return "waits for a second person"
    if undone.refused:
        return "denied, or nobody approved it in time: nothing was taken back"
    if run.ended_at is None and not reading.progress.changes and not finished(reading.progress):
        return "begins: the present verdicts of its messages are read"

    parts = [f"{undone.done:,} of {total(reading):,} back"]
    if undone.gone:
        verb = "exists" if undone.gone == 1 else "exist"
        parts.append(f"{undone.gone:,} cannot: no longer {verb}, deleted by the owner")
    if undone.failed:
        parts.append(f"{undone.failed:,} failed: the audit says why")
    if undone.under_way:
        parts.append(f"{plural(undone.under_way, 'case')} already being undone by somebody else")
    parts += [f"a part ended without a result: {show_mail_text(why)}" for why in _lost(reading)]
    return ", ".join(parts)


def finished(progress: UndoProgress) -> int:
    """Count the changes that are taken back, or of which it is certain that they cannot be."""
    undone = progress.undone
    return undone.done + undone.gone + undone.failed


def total(reading: UndoReading) -> int:
    """Count the changes that are to be taken back."""
    known = reading.progress.changes or reading.run.note.changes
    return max(known, finished(reading.progress))


def _lost(reading: UndoReading) -> tuple[str, ...]:
    return tuple(reading.unanswered.values()) if reading.run.ended_at is not None else ()
