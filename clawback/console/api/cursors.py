"""Cursors of lists: opaque to clients, bound to what is listed, and checked before use."""

import base64
import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from clawback.console.api.problems import InputError, InvalidInput


class _Cursor(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    of: str
    after: str


def write_cursor(listed: Any, after: str) -> str:
    """Make the cursor of the next page of what is listed."""
    content = _Cursor(of=_digest(listed), after=after).model_dump_json()
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read_cursor(listed: Any, cursor: str | None) -> str | None:
    """Return after what the page begins; None for the first page.

    Raises:
        InvalidInput: it is no cursor of ours, or of another list.

    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        content = base64.b64decode(padded, altchars=b"-_", validate=True)
        found = _Cursor.model_validate_json(content)
    except (ValueError, ValidationError):
        raise _invalid("this is no cursor; take `next` of the page before") from None
    if found.of != _digest(listed):
        raise _invalid("the cursor is of another list; keep the other parameters as they were")
    return found.after


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput([InputError(place="query.cursor", detail=detail)])


def _digest(listed: Any) -> str:
    """Identify what is listed."""
    text = json.dumps(listed, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
