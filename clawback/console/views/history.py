"""The history: what happened to cases, who decided it, and whether it can be undone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from clawback.actions.outcomes import UNKNOWN, WOULD, is_failed
from clawback.cases import CaseState
from clawback.console.requests.case_keys import CaseKey
from clawback.console.requests.case_query import CasePageOfList
from clawback.console.requests.history_query import HASHED, HistoryQuery, Kind, happened_at
from clawback.console.sources.read_model import ListedCase
from clawback.console.views.inbox import Choice
from clawback.console.views.mail_text import show_address, show_mail_text
from clawback.console.views.times import ShownTime, show_time
from clawback.console.views.undo_list import UndoEntry
from clawback.model.mode import Mode

_TABS: Final[Mapping[Kind, str]] = {
    Kind.ALL: "Everything",
    Kind.DECIDED: "Decided",
    Kind.ACTED: "Acted",
    Kind.UNDONE: "Undone",
    Kind.FAILED: "Failed",
}
_MOST_OUTCOMES: Final = 8


@dataclass(frozen=True)
class Outcome:
    """One outcome of one action, with how often it occurred; `css` is empty for an ordinary one."""

    text: str
    css: str


@dataclass(frozen=True)
class HistoryRow:
    """What happened to one case. `undo` says whether it can be undone, or why not."""

    key: str
    id: str
    short_id: str
    path: str
    at: ShownTime
    rule: str
    state: str
    subject: str
    sender: str
    decided: tuple[str, ...]
    reason: str
    outcomes: tuple[Outcome, ...]
    undo: str
    undo_path: str
    can_select: bool


@dataclass(frozen=True)
class HistoryView:
    """The whole page. `undos` are those that run, wait or have ended lately."""

    rows: tuple[HistoryRow, ...]
    undos: tuple[UndoEntry, ...]
    tabs: tuple[Choice, ...]
    rules: tuple[Choice, ...]
    people: tuple[Choice, ...]
    kind: str
    since: str
    until: str
    hashes: tuple[tuple[str, str], ...]
    is_filtered: bool
    clear_path: str
    undo_all_path: str
    range: str
    next_path: str
    empty: str
    may_undo: bool


def build_history(  # noqa: PLR0913 - what the page shows
    wanted: HistoryQuery,
    page: CasePageOfList,
    *,
    rules: Iterable[str],
    people: Sequence[Choice],
    undos: Sequence[UndoEntry],
    now: datetime,
    zone: ZoneInfo,
    empty: str,
    may_undo: bool,
    undo_all_path: str,
) -> HistoryView:
    """Build the view of one page of the history."""
    cleared = HistoryQuery(kind=wanted.kind)
    last = page.first + len(page.cases) - 1
    return HistoryView(
        rows=tuple(_build_row(case, now, zone, may_undo=may_undo) for case in page.cases),
        undos=tuple(undos),
        tabs=tuple(
            Choice(kind, text, wanted.kind is kind, wanted.url(kind=kind))
            for kind, text in _TABS.items()
        ),
        rules=tuple(Choice(rule, rule, rule == wanted.rule) for rule in sorted(rules)),
        people=tuple(people),
        kind=wanted.kind,
        since=_local(wanted.since, zone),
        until=_local(wanted.until, zone),
        hashes=tuple((name, value) for name in HASHED if (value := getattr(wanted, name))),
        is_filtered=wanted.url() != cleared.url(),
        clear_path=cleared.url(),
        undo_all_path=undo_all_path,
        range=f"{page.first:,} to {last:,} of {page.total:,}" if page.cases else "",
        next_path=wanted.url(after=page.next_after) if page.next_after else "",
        empty="" if page.cases else empty,
        may_undo=may_undo,
    )


def _build_row(case: ListedCase, now: datetime, zone: ZoneInfo, *, may_undo: bool) -> HistoryRow:
    note = case.undone or case.decision
    notes = [one for one in (case.decision, case.undone) if one is not None]
    undo, can_undo = describe_undo(case)
    return HistoryRow(
        key=str(CaseKey.of(case)),
        id=case.id,
        short_id=case.short_id,
        path=case.path,
        at=show_time(happened_at(case), now, zone),
        rule=case.rule,
        state=case.state,
        subject=show_mail_text(case.subject) or "(no subject)",
        sender=show_address(case.sender) or "(no sender)",
        decided=tuple(
            f"{one.what} by {' and '.join(map(show_mail_text, one.by)) or 'somebody'}"
            for one in notes
        ),
        reason=show_mail_text(note.reason) if note else "",
        outcomes=tuple(_outcomes(case)),
        undo=undo,
        undo_path=undo_path(case) if can_undo and may_undo else "",
        can_select=can_undo and may_undo,
    )


def undo_path(case: ListedCase) -> str:
    """Return the path of the dry run of an undo of a case."""
    return f"/cases/{case.rule}/{case.hash}/undo?run={case.run[:8]}"


def describe_undo(case: ListedCase) -> tuple[str, bool]:
    """Say whether a case can be undone, or why not; and whether it can."""
    if case.undone is not None or case.state == CaseState.UNDONE:
        return "done", case.changed > 0
    if case.unreadable:
        return "not known: its summary cannot be read", True
    if case.changed:
        changes = "change" if case.changed == 1 else "changes"
        return f"yes, {case.changed:,} {changes}", True
    return f"no: {_why_nothing(case)}", False


def _why_nothing(case: ListedCase) -> str:
    """Say why there is nothing to take back."""
    if case.mode == Mode.SHADOW:
        return "shadow mode changed nothing"
    if case.state == CaseState.DENIED:
        return "it was denied"
    if case.state == CaseState.EXPIRED:
        return "it expired without a decision"
    if case.state == CaseState.HELD:
        return "it is held and did nothing yet"
    if case.state == CaseState.RESPONDING:
        return "it is responding; nothing took effect yet"
    return "nothing that can be undone took effect"


def _outcomes(case: ListedCase) -> Iterable[Outcome]:
    for action, outcome, count in case.outcomes[:_MOST_OUTCOMES]:
        css = "danger-text" if is_failed(outcome) else "warn-text" if outcome == UNKNOWN else ""
        would = "would have acted on" if outcome == WOULD else outcome.replace("_", " ")
        text = (
            f"{action}: {would} {count:,}" if outcome == WOULD else f"{action}: {count:,} {would}"
        )
        yield Outcome(text, css)
    if (more := len(case.outcomes) - _MOST_OUTCOMES) > 0:
        yield Outcome(f"{more} more outcomes", "")


def _local(at: datetime | None, zone: ZoneInfo) -> str:
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%dT%H:%M}"
