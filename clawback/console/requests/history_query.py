"""The filters of the history, as a URL has them, and the cases that fit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from clawback.actions.outcomes import TOOK_EFFECT, UNKNOWN, is_failed
from clawback.cases import CaseState
from clawback.console.errors import BadRequest
from clawback.console.requests.case_query import PAGE_SIZE, CasePageOfList, make_cursor, read_cursor
from clawback.console.requests.query import read_choice
from clawback.console.sources.read_model import ListedCase
from clawback.model.durations import parse_duration

PARAMETERS: Final = frozenset(
    {"kind", "by", "rule", "sender", "mailbox", "message", "since", "until", "after"}
)
HASHED: Final = ("sender", "mailbox", "message")
_ABNORMAL: Final = frozenset({"terminated", "canceled", "failed", "timed_out"})


class Kind(StrEnum):
    """What happened to a case."""

    ALL = "all"
    DECIDED = "decided"
    ACTED = "acted"
    UNDONE = "undone"
    FAILED = "failed"


@dataclass(frozen=True)
class HistoryQuery:
    """What the history is asked for.

    `sender`, `mailbox` and `message` are hashes, never addresses, and so is `by`, unless it is
    `me`: names of people may be addresses. `since` and `until` are about what happened last.
    """

    kind: Kind = Kind.ALL
    by: str = ""
    rule: str = ""
    sender: str = ""
    mailbox: str = ""
    message: str = ""
    since: datetime | None = None
    until: datetime | None = None
    after: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], now: datetime, zone: tzinfo) -> "HistoryQuery":
        """Read the parameters; a time without a zone is one of the zone that pages show.

        Raises:
            BadRequest: one has a wrong value.

        """
        return cls(
            kind=read_choice(query, "kind", Kind) or Kind.ALL,
            by=query.get("by", ""),
            rule=query.get("rule", ""),
            sender=query.get("sender", ""),
            mailbox=query.get("mailbox", ""),
            message=query.get("message", ""),
            since=read_time(query, "since", now, zone),
            until=read_time(query, "until", now, zone),
            after=query.get("after", ""),
        )

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of what a case must touch."""
        return tuple(value for name in HASHED if (value := getattr(self, name)))

    @property
    def values(self) -> dict[str, str]:
        """The parameters that are not the default."""
        every = {
            "kind": "" if self.kind is Kind.ALL else self.kind.value,
            "by": self.by,
            "rule": self.rule,
            "sender": self.sender,
            "mailbox": self.mailbox,
            "message": self.message,
            "since": format_time(self.since),
            "until": format_time(self.until),
            "after": self.after,
        }
        return {name: value for name, value in every.items() if value}

    def url(self, **changes: Any) -> str:
        """Return the URL of this list; what is the default is left out."""
        query = urlencode(replace(self, **{"after": "", **changes}).values)
        return f"/history?{query}" if query else "/history"

    def fits(self, case: ListedCase, by: str | None) -> bool:
        """Whether a case fits everything but the hashes; `by` is the name that is asked for."""
        at = happened_at(case)
        return (
            is_kind(case, self.kind)
            and (not self.rule or case.rule == self.rule)
            and (not self.by or by in people_of(case))
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


def is_kind(case: ListedCase, kind: Kind) -> bool:
    """Whether something of one kind happened to a case."""
    match kind:
        case Kind.DECIDED:
            return case.decision is not None
        case Kind.ACTED:
            return any(outcome in TOOK_EFFECT for _, outcome, _ in case.outcomes)
        case Kind.UNDONE:
            return case.undone is not None or case.state == CaseState.UNDONE
        case Kind.FAILED:
            return case.state in _ABNORMAL or any(
                is_failed(outcome) or outcome == UNKNOWN for _, outcome, _ in case.outcomes
            )
        case Kind.ALL:
            # A held case that nobody has decided is in the inbox, and has no history yet.
            is_new = case.state == CaseState.HELD and not case.outcomes
            return case.decision is not None or not is_new


def people_of(case: ListedCase) -> tuple[str, ...]:
    """Return who has decided or undone a case."""
    notes = (case.decision, case.undone)
    return tuple(name for note in notes if note is not None for name in note.by)


def happened_at(case: ListedCase) -> datetime:
    """Return when something happened to a case last, as far as its summary says it."""
    times = [note.at for note in (case.decision, case.undone) if note is not None]
    return max(times) if times else case.closed_at or case.opened_at


def list_history(
    wanted: HistoryQuery, cases: Iterable[ListedCase], by: str | None, size: int = PAGE_SIZE
) -> CasePageOfList:
    """Filter, sort by time (the newest first) and cut out one page.

    Raises:
        BadRequest: the cursor is none of this list.

    """
    found = sorted((case for case in cases if wanted.fits(case, by)), key=_key)
    start = 0
    if wanted.after:
        last = read_cursor(wanted.after)
        start = next((i for i, case in enumerate(found) if [*_key(case)] > last), len(found))

    page = tuple(found[start : start + size])
    after = make_cursor(_key(page[-1])) if page and start + size < len(found) else ""
    return CasePageOfList(page, start + 1 if page else 0, len(found), after)


def _key(case: ListedCase) -> tuple[float, str]:
    return -happened_at(case).timestamp(), f"{case.id} {case.run}"


def read_time(query: Mapping[str, str], name: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Read a time, or an age such as `2h`; None without it.

    Raises:
        BadRequest: it is neither.

    """
    if (text := query.get(name)) is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - parse_duration(text)
        except (ValueError, OverflowError):
            raise BadRequest(
                f"{name}: `{text[:40]}` is no time; use 2026-11-29T03:12, or an age such as 2h"
            ) from None
    return at.replace(tzinfo=zone) if at.tzinfo is None else at


def format_time(at: datetime | None) -> str:
    """Write a time as a URL has it: in UTC."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
