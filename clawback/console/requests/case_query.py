"""The filters of a list of cases, as a URL has them, and the cases that fit."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from clawback.cases import CaseState
from clawback.cases.hold_cause import HoldCause
from clawback.console.errors import BadRequest
from clawback.console.requests.query import read_choice
from clawback.console.sources.read_model import ListedCase
from clawback.model.durations import format_duration, parse_duration
from clawback.model.level import Level

PAGE_SIZE: Final = 50
PARAMETERS: Final = frozenset(
    {
        "state",
        "rule",
        "level",
        "held_for",
        "assignee",
        "sender",
        "mailbox",
        "message",
        "touching",
        "q",
        "since",
        "sort",
        "after",
    }
)
_HASHED: Final = ("sender", "mailbox", "message", "touching")


class StateChoice(StrEnum):
    """Which cases to list by state."""

    HELD = "held"
    RESPONDING = "responding"
    OPEN = "open"
    ALL = "all"
    SETTLED = "settled"
    CLOSED = "closed"
    DENIED = "denied"
    EXPIRED = "expired"
    UNDONE = "undone"


class Sort(StrEnum):
    """The order of a list."""

    DUE = "due"
    NEWEST = "newest"
    MESSAGES = "messages"
    LEVEL = "level"


@dataclass(frozen=True)
class CaseQuery:
    """What a list is asked for.

    `sender`, `mailbox` and `message` are hashes, never addresses; so is `touching`, which is any of
    the three.
    """

    state: StateChoice = StateChoice.HELD
    rule: str = ""
    level: Level | None = None
    held_for: HoldCause | None = None
    assignee: str = ""
    sender: str = ""
    mailbox: str = ""
    message: str = ""
    touching: str = ""
    text: str = ""
    since: timedelta | None = None
    sort: Sort = Sort.DUE
    after: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "CaseQuery":
        """Read the parameters.

        Raises:
            BadRequest: one has a wrong value.

        """
        return cls(
            state=read_choice(query, "state", StateChoice) or StateChoice.HELD,
            rule=query.get("rule", ""),
            level=read_choice(query, "level", Level),
            held_for=read_choice(query, "held_for", HoldCause),
            assignee=query.get("assignee", ""),
            sender=query.get("sender", ""),
            mailbox=query.get("mailbox", ""),
            message=query.get("message", ""),
            touching=query.get("touching", ""),
            text=query.get("q", ""),
            since=_read_since(query.get("since")),
            sort=read_choice(query, "sort", Sort) or Sort.DUE,
            after=query.get("after", ""),
        )

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of what a case must touch."""
        return tuple(value for _, value in self.named_hashes if value)

    def url(self, path: str = "/", **changes: Any) -> str:
        """Return the URL of this list; what is the default is left out."""
        changed = replace(self, **{"after": "", **changes})
        values = {
            "state": "" if changed.state is StateChoice.HELD else changed.state,
            "rule": changed.rule,
            "level": changed.level or "",
            "held_for": changed.held_for or "",
            "assignee": changed.assignee,
            "sender": changed.sender,
            "mailbox": changed.mailbox,
            "message": changed.message,
            "touching": changed.touching,
            "q": changed.text,
            "since": changed.age_text,
            "sort": "" if changed.sort is Sort.DUE else changed.sort,
            "after": changed.after,
        }
        query = urlencode({name: value for name, value in values.items() if value})
        return f"{path}?{query}" if query else path

    def fits(self, case: ListedCase, me: str, now: datetime) -> bool:
        """Whether a case fits everything but the hashes."""
        return (
            self.has_state(case)
            and (not self.rule or case.rule == self.rule)
            and (self.level is None or case.level == self.level)
            and (self.held_for is None or case.hold_cause is self.held_for)
            and (not self.assignee or case.assignee_id == (me if self.is_mine else self.assignee))
            and (self.since is None or case.opened_at >= now - self.since)
            and _has_words(case, self.text.casefold().split())
        )

    def has_state(self, case: ListedCase) -> bool:
        """Whether a case is in a state that is wanted."""
        if self.state is StateChoice.ALL:
            return True
        if self.state is StateChoice.OPEN:
            return case.is_open
        return case.state == CaseState(self.state)

    @property
    def age_text(self) -> str:
        """The age as people write it; empty without one."""
        return "" if self.since is None else format_duration(self.since)

    @property
    def named_hashes(self) -> tuple[tuple[str, str], ...]:
        """The parameters that are hashes, with their values."""
        return tuple((name, getattr(self, name)) for name in _HASHED)

    @property
    def is_mine(self) -> bool:
        """Whether only cases of whoever asks are wanted."""
        return self.assignee == "me"


@dataclass(frozen=True)
class CasePageOfList:
    """One page of a list: its cases, how many fit in all, and where the next page starts."""

    cases: tuple[ListedCase, ...]
    first: int
    total: int
    next_after: str = ""


def list_page(
    wanted: CaseQuery,
    cases: Iterable[ListedCase],
    me: str,
    now: datetime,
    size: int = PAGE_SIZE,
) -> CasePageOfList:
    """Filter, sort and cut out one page; the cursor names the last case of the page before.

    Raises:
        BadRequest: the cursor is none of this list.

    """
    key = _SORT_KEYS[wanted.sort]
    found = sorted((case for case in cases if wanted.fits(case, me, now)), key=key)
    start = 0
    if wanted.after:
        last = read_cursor(wanted.after)
        start = next((i for i, case in enumerate(found) if list(key(case)) > last), len(found))

    page = tuple(found[start : start + size])
    has_more = start + size < len(found)
    after = make_cursor(key(page[-1])) if page and has_more else ""
    return CasePageOfList(page, start + 1 if page else 0, len(found), after)


def _due(case: ListedCase) -> tuple[Any, ...]:
    deadline = case.deadline or datetime.max.replace(tzinfo=UTC)
    return deadline.timestamp(), -case.opened_at.timestamp(), case.id


def _newest(case: ListedCase) -> tuple[Any, ...]:
    return -case.opened_at.timestamp(), case.id


def _messages(case: ListedCase) -> tuple[Any, ...]:
    return -case.messages, -case.opened_at.timestamp(), case.id


def _level(case: ListedCase) -> tuple[Any, ...]:
    return -case.level_rank, *_due(case)


_SORT_KEYS: Final[Mapping[Sort, Callable[[ListedCase], tuple[Any, ...]]]] = {
    Sort.DUE: _due,
    Sort.NEWEST: _newest,
    Sort.MESSAGES: _messages,
    Sort.LEVEL: _level,
}


def make_cursor(key: Sequence[Any]) -> str:
    """Write the key by which a list is sorted into the cursor of its next page."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_cursor(text: str) -> list[Any]:
    """Read the key out of a cursor.

    Raises:
        BadRequest: it is none.

    """
    try:
        padded = text + "=" * (-len(text) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        numbers, id_ = found[:-1], found[-1]
        is_good = isinstance(id_, str) and all(isinstance(one, int | float) for one in numbers)
    except (ValueError, TypeError, KeyError, RecursionError):
        is_good, found = False, []
    if not is_good:
        raise BadRequest("after: this is no place in a list; start at its first page") from None
    return list(found)


def _read_since(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadRequest(f"since: {error}") from None


def _has_words(case: ListedCase, words: Sequence[str]) -> bool:
    if not words:
        return True
    text = case.text
    return all(word in text for word in words)
