"""An endless stream of mail: corpus lines with new ids and the current time, one by one."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from clawback.simulator.account_state import AccountState
from clawback.simulator.corpus import Line
from clawback.simulator.query_parameters import parse_time
from clawback.simulator.responses import format_time

_RETENTION = timedelta(days=1)
_MAX_REQUESTS = 100_000
_EXPIRE_EVERY = 500
"""What a stream keeps, and how often it drops the rest, so that it can run for weeks."""

_SPEC = re.compile(r"(\d+)/(\d+(?:\.\d+)?)")


def parse_interval(text: str) -> timedelta:
    """Parse `N/SECONDS`, N records in so many seconds, as the interval between two.

    Raises:
        ValueError: it is not in this form, or a number is zero.

    """
    match = _SPEC.fullmatch(text.strip())
    if match is None or int(match[1]) == 0 or float(match[2]) == 0:
        raise ValueError(f"invalid rate {text[:40]!r}; expected N/SECONDS, such as 12/60")
    return timedelta(seconds=float(match[2]) / int(match[1]))


async def stream_mail(account: AccountState, lines: Sequence[Line], interval: timedelta) -> None:
    """Add the lines one by one, repeatedly, until cancelled. Drop what is older than a day."""
    for number, line in enumerate(repeat_lines(lines), 1):
        account.add([restamp(line, account.now)])
        if number % _EXPIRE_EVERY == 0:
            account.expire(_RETENTION, _MAX_REQUESTS)
        await asyncio.sleep(interval.total_seconds())


def repeat_lines(lines: Sequence[Line]) -> Iterator[Line]:
    """Repeat the lines for ever, each round with new ids. References between lines are kept."""
    for _ in count():
        token = secrets.token_hex(4)
        yield from (_renew(line, token) for line in lines)


def restamp(line: Line, now: datetime) -> Line:
    """Return the line as if it arrived now. Sent and scan time stay at most a minute apart."""
    record = line.record
    if line.kind == "report":
        fields = {
            name: value
            for name, value in (record.get("fields") or {"to": []}).items()
            if name != "ts"
        }
        moments = {
            "created_at": format_time(now),
            "updated_at": format_time(now),
            "fields": {**fields, "occurred_at": format_time(now)},
        }
        return replace(
            line, record={name: value for name, value in record.items() if name != "ts"} | moments
        )

    if line.kind == "submission":
        return replace(line, record={**record, "requested_at": format_time(now)})

    sent = now - _delay(record)
    return replace(
        line,
        record={
            **record,
            "scanned_at": format_time(now),
            "ts": format_time(now),
            "sent_at": format_time(sent),
            "sent_date": format_time(sent),
        },
    )


def _delay(record: dict[str, Any]) -> timedelta:
    sent, scanned = parse_time(record.get("sent_at")), parse_time(record.get("scanned_at"))
    known = scanned - sent if sent and scanned else timedelta(seconds=2)
    return min(max(known, timedelta(seconds=1)), timedelta(minutes=1))


def _renew(line: Line, token: str) -> Line:
    record = line.record
    match line.kind:
        case "message":
            return replace(line, record=_renew_message(record, token))
        case "report":
            fields = record.get("fields") or {"to": []}
            postfix_id = fields.get("postfix_id")
            renewed = {**fields, "postfix_id": _new_id(postfix_id, token)} if postfix_id else fields
            return replace(
                line, record={**record, "id": _new_number(record["id"], token), "fields": renewed}
            )
        case "submission":
            changed = {
                name: _new_id(record[name], token)
                for name in ("submission_id", "original_postfix_id")
                if record.get(name)
            }
            return replace(line, record=record | changed)


def _renew_message(record: dict[str, Any], token: str) -> dict[str, Any]:
    postfix_id = _new_id(str(record.get("postfix_id") or record["id"]), token)
    changed: dict[str, Any] = {
        "postfix_id": postfix_id,
        "id": f"{postfix_id}-{_new_id(record['id'], token)}",
        "alert_id": f"{postfix_id}-alert",
    }
    for name in ("edf_hash", "htmltext_structure_hash"):
        changed[name] = record.get(name) and _new_hash(record[name], token)

    if record.get("message_id"):
        changed["message_id"] = f"<{token}.{str(record['message_id']).lstrip('<')}"

    return record | changed


def _new_id(value: object, token: str) -> str:
    return hashlib.blake2b(f"{token}/{value}".encode(errors="replace"), digest_size=8).hexdigest()


def _new_number(value: object, token: str) -> int:
    return int(_new_id(value, token)[:13], 16)


def _new_hash(value: object, token: str) -> str:
    """Return a hash of the length of SHA-1, as the originals have."""
    return hashlib.blake2b(f"{token}/{value}".encode(), digest_size=20).hexdigest()
