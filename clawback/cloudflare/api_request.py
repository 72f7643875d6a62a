"""One request as a value: method, endpoint, query, body. Pure; `transport` sends it.

Writing is strict: ids cannot leave their path segment, times are aware and sent as UTC, and
deprecated parameters have no place.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlencode

from clawback.model.messages import MAX_MESSAGES_PER_REQUEST

MAX_PER_PAGE = 1000
MAX_TEXT = 1024

QueryValue = str | int | bool | datetime | Sequence[str] | None


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

    `endpoint` is a template such as `investigate/{id}/move`, used in metrics and errors; each
    `{id}` takes the next of `ids`. `location` replaces the whole URL (the `Location` of a 202).
    `idempotent` marks a POST that may be repeated; other POSTs may not.
    """

    method: Method
    endpoint: str
    ids: tuple[str, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | Sequence[Any] | None = None
    location: str | None = None
    idempotent: bool = False

    @property
    def is_repeatable(self) -> bool:
        """Whether the call may be repeated when its outcome is unknown (reference §3.3)."""
        return self.idempotent or self.method is not Method.POST

    @property
    def path(self) -> str:
        """The path below the account, ids encoded, with the query."""
        path = self.endpoint
        for identity in self.ids:
            # An encoded id has no braces, so the next replacement finds the next placeholder.
            path = path.replace("{id}", encode_segment(identity), 1)
        return f"{path}?{urlencode(self.query)}" if self.query else path

    @property
    def content(self) -> bytes | None:
        """The JSON body in ASCII, or None."""
        if self.body is None:
            return None
        # orjson would refuse a lone surrogate, which a subject may hold, and write NaN as null.
        return json.dumps(self.body, separators=(",", ":"), allow_nan=False).encode()


def encode_segment(identity: str) -> str:
    """Encode an id as exactly one path segment; `:` is kept.

    Raises:
        ValueError: the id is empty, `.` or `..`, which would address something else.

    """
    if identity in {"", ".", ".."}:
        raise ValueError("an id must not be empty, '.' or '..'")
    return quote(identity, safe=":")


def encode_query(values: Mapping[str, QueryValue]) -> tuple[tuple[str, str], ...]:
    """Encode query parameters.

    None is left out, a sequence repeats its key, booleans are `true` and `false`.
    """
    return tuple((name, text) for name, value in values.items() for text in _query_texts(value))


def format_time(time: datetime) -> str:
    """Format an aware time as UTC with microseconds and `Z`.

    Raises:
        ValueError: the time is naive.

    """
    if time.tzinfo is None:
        raise ValueError("a time sent to the API must be aware")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def check_page_size(per_page: int) -> int:
    """Check a page size: 1 to 1,000."""
    if not 1 <= per_page <= MAX_PER_PAGE:
        raise ValueError(f"per_page must be 1 to {MAX_PER_PAGE}, not {per_page}")
    return per_page


def check_ids(ids: Sequence[str], most: int = MAX_MESSAGES_PER_REQUEST) -> list[str]:
    """Check the ids of one bulk request.

    Raises:
        ValueError: no ids, more than `most`, or an empty one.

    """
    if isinstance(ids, str) or not 1 <= len(ids) <= most or not all(ids):
        raise ValueError(f"one request takes 1 to {most} ids, none of them empty")
    return list(ids)


def check_text(name: str, text: str, *, empty: bool = True) -> str:
    """Check a pattern, comment or name: at most 1,024 characters, not empty unless allowed."""
    if len(text) > MAX_TEXT or not (text or empty):
        raise ValueError(f"{name} must have {0 if empty else 1} to {MAX_TEXT} characters")
    return text


def _query_texts(value: QueryValue) -> tuple[str, ...]:
    match value:
        case None:
            return ()
        # Before int, of which bool is a subclass.
        case bool():
            return ("true" if value else "false",)
        case datetime():
            return (format_time(value),)
        case str() | int():
            return (str(value),)
        case _:
            return tuple(value)
