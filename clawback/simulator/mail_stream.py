"""Mail that keeps arriving.

Corpus lines with the present time and fresh ids, one at a time, for as long as the simulator runs.
"""

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
from clawback.simulator.envelopes import stamp
from clawback.simulator.query_parameters import parse_time

_RETENTION = timedelta(days=1)
_REQUESTS = 100_000
_SWEEP = 500
"""What an endless drip keeps, and after how many arrivals it looks; so it can run for weeks."""

_DRIP = re.compile(r"(\d+)/(\d+(?:\.\d+)?)")


def parse_drip(text: str) -> timedelta:
    """Read `N/SECONDS`, so many records in so many seconds, as the time between two.

    Raises:
        ValueError: it is something else, or one of the numbers is zero.

    """
    match = _DRIP.fullmatch(text.strip())
    if match is None or int(match[1]) == 0 or float(match[2]) == 0:
        raise ValueError(f"{text[:40]!r} is not a drip: write N/SECONDS, such as 12/60")
    return timedelta(seconds=float(match[2]) / int(match[1]))


async def drip(world: AccountState, lines: Sequence[Line], every: timedelta) -> None:
    """Let the lines arrive one by one, over and over; ends only when cancelled.

    What is older than a day is forgotten.
    """
    for number, fresh in enumerate(endless(lines), 1):
        world.take([stamped(fresh, world.now)])
        if number % _SWEEP == 0:
            world.forget(_RETENTION, _REQUESTS)
        await asyncio.sleep(every.total_seconds())


def endless(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines over and over, each time as new mail.

    Fresh ids that never come back, references between lines kept.
    """
    for _ in count():
        token = secrets.token_hex(4)
        yield from (_renewed(line, token) for line in lines)


def stamped(line: Line, now: datetime) -> Line:
    """The line as if it arrived now.

    The distance between sending and scanning is kept within a minute.
    """
    record = line.record
    if line.kind == "report":
        fields = {
            name: value
            for name, value in (record.get("fields") or {"to": []}).items()
            if name != "ts"
        }
        moments = {
            "created_at": stamp(now),
            "updated_at": stamp(now),
            "fields": {**fields, "occurred_at": stamp(now)},
        }
        return replace(
            line, record={name: value for name, value in record.items() if name != "ts"} | moments
        )
    if line.kind == "submission":
        return replace(line, record={**record, "requested_at": stamp(now)})
    sent = now - _underway(record)
    return replace(
        line,
        record={
            **record,
            "scanned_at": stamp(now),
            "ts": stamp(now),
            "sent_at": stamp(sent),
            "sent_date": stamp(sent),
        },
    )


def _underway(record: dict[str, Any]) -> timedelta:
    sent, scanned = parse_time(record.get("sent_at")), parse_time(record.get("scanned_at"))
    known = scanned - sent if sent and scanned else timedelta(seconds=2)
    return min(max(known, timedelta(seconds=1)), timedelta(minutes=1))


def _renewed(line: Line, token: str) -> Line:
    record = line.record
    match line.kind:
        case "message":
            return replace(line, record=_renewed_message(record, token))
        case "report":
            fields = record.get("fields") or {"to": []}
            postfix_id = fields.get("postfix_id")
            renewed = {**fields, "postfix_id": _fresh(postfix_id, token)} if postfix_id else fields
            return replace(
                line, record={**record, "id": _number(record["id"], token), "fields": renewed}
            )
        case "submission":
            changed = {
                name: _fresh(record[name], token)
                for name in ("submission_id", "original_postfix_id")
                if record.get(name)
            }
            return replace(line, record=record | changed)


def _renewed_message(record: dict[str, Any], token: str) -> dict[str, Any]:
    postfix_id = _fresh(str(record.get("postfix_id") or record["id"]), token)
    changed: dict[str, Any] = {
        "postfix_id": postfix_id,
        "id": f"{postfix_id}-{_fresh(record['id'], token)}",
        "alert_id": f"{postfix_id}-alert",
    }
    for name in ("edf_hash", "htmltext_structure_hash"):
        changed[name] = (
            record.get(name) and hashlib.sha1(f"{token}/{record[name]}".encode()).hexdigest()  # noqa: S324
        )
    if record.get("message_id"):
        changed["message_id"] = f"<{token}.{str(record['message_id']).lstrip('<')}"
    return record | changed


def _fresh(value: object, token: str) -> str:
    return hashlib.blake2b(f"{token}/{value}".encode(errors="replace"), digest_size=8).hexdigest()


def _number(value: object, token: str) -> int:
    return int(_fresh(value, token)[:13], 16)
