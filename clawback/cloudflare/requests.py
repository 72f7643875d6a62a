"""One request to be made, as a value: method, endpoint, query, body. Pure; nothing is sent here.

Writing is strict: ids cannot break out of their path segment, times are aware and sent as UTC,
nothing deprecated has a place.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlencode

MOST_PER_PAGE = 1000
MOST_IDS = 1000
LONGEST_TEXT = 1024

Value = str | int | bool | datetime | Sequence[str] | None


class Method(StrEnum):
    """The HTTP methods of the API."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request below `/accounts/{account_id}/email-security/`.

    `endpoint` is a template (`investigate/{id}/move`) and what metrics and errors name; each `{id}`
    takes the next of `ids`. `location` replaces the whole address (a 202's `Location`). `harmless`
    marks a POST that may be repeated; other POSTs may not.
    """

    method: Method
    endpoint: str
    ids: tuple[str, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | Sequence[Any] | None = None
    location: str | None = None
    harmless: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether the call may simply be made again when its outcome is not known (reference §3.3)."""
        return self.harmless or self.method is not Method.POST

    @property
    def path(self) -> str:
        """The path below the account, ids encoded, with the query."""
        filled = self.endpoint
        for identity in self.ids:
            filled = filled.replace("{id}", segment(identity), 1)
        return f"{filled}?{urlencode(self.query)}" if self.query else filled

    @property
    def content(self) -> bytes | None:
        """The JSON body in ASCII; None without one."""
        return (
            None
            if self.body is None
            else json.dumps(self.body, separators=(",", ":"), allow_nan=False).encode()
        )


def segment(identity: str) -> str:
    """Encode an id as exactly one path segment; `:` stays as it is.

    Raises:
        ValueError: the id is empty, `.` or `..`, which would address something else.

    """
    if identity in {"", ".", ".."}:
        raise ValueError("an id must not be empty, '.' or '..'")
    return quote(identity, safe=":")


def query(values: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    """Write query parameters as the API reads them.

    None is left out, a sequence repeats its key, booleans are `true` and `false`.
    """
    return tuple((name, text) for name, value in values.items() for text in _texts(value))


def wire_time(moment: datetime) -> str:
    """Write an aware time as UTC with microseconds and `Z`.

    Raises:
        ValueError: the time has no offset, so that nobody can know when it is.

    """
    if moment.tzinfo is None:
        raise ValueError("a time sent to the API must be aware")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def page_size(per_page: int) -> int:
    """Check a page size: 1 to 1,000."""
    if not 1 <= per_page <= MOST_PER_PAGE:
        raise ValueError(f"per_page must be 1 to {MOST_PER_PAGE}, not {per_page}")
    return per_page


def known_ids(ids: Sequence[str], most: int = MOST_IDS) -> list[str]:
    """Check the ids of one bulk request: at least one, at most `most`, none empty.

    Raises:
        ValueError: too few, too many, or an empty one.

    """
    if isinstance(ids, str) or not 1 <= len(ids) <= most or not all(ids):
        raise ValueError(f"one request takes 1 to {most} ids, none of them empty")
    return list(ids)


def short_text(name: str, text: str, *, empty: bool = True) -> str:
    """Check a text of at most 1,024 characters (pattern, comments, name)."""
    if len(text) > LONGEST_TEXT or not (text or empty):
        raise ValueError(f"{name} must have {0 if empty else 1} to {LONGEST_TEXT} characters")
    return text


def _texts(value: Value) -> tuple[str, ...]:
    match value:
        case None:
            return ()
        case bool():
            return ("true" if value else "false",)
        case datetime():
            return (wire_time(value),)
        case str() | int():
            return (str(value),)
        case _:
            return tuple(value)
