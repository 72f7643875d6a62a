"""One message: the fields that searches filter by, its folder, its action log, its JSON.

The JSON is kept encoded, so that a page of 1,000 messages is a join of bytes. A change decodes,
edits and encodes one record.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from clawback.simulator.options import Shape
from clawback.simulator.query_parameters import parse_time
from clawback.simulator.responses import dump_json, format_time

DETECTIONS = frozenset({"MALICIOUS", "MALICIOUS-BEC", "SUSPICIOUS", "SPOOF", "SPAM", "BULK"})
"""Dispositions that are detections: `detections_only` matches them, and only they have bodies."""

QUARANTINE = "Quarantine"
INBOX = "Inbox"

_REQUIRED: Mapping[str, Any] = {
    "client_recipients": [],
    "detection_reasons": [],
    "action_log": [],
    "is_quarantined": False,
    "is_phish_submission": False,
    "properties": {},
}
_PAST_EOL = ("findings", "sent_date")
_PAST_EOL_THOUGH_REQUIRED = ("ts", "action_log")


@dataclass(slots=True)
class Mail:
    """A message in its current state.

    `folder` is None if the corpus says that the message was moved, but not where to.
    """

    id: str
    postfix_id: str
    message_id: str | None
    alert_id: str | None
    at: datetime
    visible_at: datetime
    senders: tuple[str, ...]
    recipients: tuple[str, ...]
    hosts: tuple[str, ...]
    subject: str
    text: str
    disposition: str | None
    edf_hash: str | None
    helo_ip: str | None
    folder: str | None
    quarantined: bool
    submission: bool
    operations: tuple[str, ...]
    statuses: tuple[str, ...]
    addressees: tuple[str, ...]
    record: bytes
    detections: bytes | None
    shape: Shape
    actions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_detection(self) -> bool:
        """Whether the verdict is not benign."""
        return self.disposition in DETECTIONS

    @property
    def original_subject(self) -> str | None:
        """The subject, not case-folded."""
        return _text(json.loads(self.record), "subject")

    def place(self, folder: str, status: str) -> None:
        """Put the message into a folder. Call `log` afterwards to update the record."""
        self.folder = folder
        self.quarantined = False
        self.statuses = (status,)

    def log(self, *actions: dict[str, Any]) -> None:
        """Add entries to the action log, and update the record."""
        self.actions.extend(actions)
        self.operations = tuple(
            dict.fromkeys([*self.operations, *(str(action["operation"]) for action in actions)])
        )
        self.record = dump_json(self._update(json.loads(self.record), actions))

    def inherit(self, earlier: "Mail") -> None:
        """Take over folder and action log of an earlier version of the same message."""
        self.folder, self.quarantined, self.statuses = (
            earlier.folder,
            earlier.quarantined,
            earlier.statuses,
        )
        self.log(*earlier.actions)

    def _update(self, record: dict[str, Any], actions: Iterable[dict[str, Any]]) -> dict[str, Any]:
        if self.shape is not Shape.LEAN:
            record["action_log"] = [
                *record.get("action_log", ()),
                *(_action_log_entry(action, self.shape) for action in actions),
            ]

        record["post_delivery_operations"] = list(self.operations)
        record["delivery_status"] = list(self.statuses)
        return record | {"is_quarantined": self.quarantined}


def build_mail(
    message: Mapping[str, Any], detections: Mapping[str, Any] | None, now: datetime, shape: Shape
) -> Mail:
    """Build a message from a corpus line. Only the id is required."""
    scanned = parse_time(message.get("scanned_at")) or parse_time(message.get("ts")) or now
    record = _select_fields(
        {**_REQUIRED, "postfix_id": str(message["id"])[:16], "ts": format_time(scanned), **message},
        shape,
    )
    quarantined = message.get("is_quarantined") is True

    return Mail(
        id=str(message["id"]),
        postfix_id=str(record["postfix_id"]),
        message_id=_text(message, "message_id"),
        alert_id=_text(message, "alert_id"),
        at=scanned,
        visible_at=now,
        senders=_casefold(
            [message.get("from"), message.get("envelope_from"), message.get("replyto")]
        ),
        recipients=_casefold(
            [
                *_list(message, "to"),
                *_list(message, "envelope_to"),
                *_list(message, "client_recipients"),
            ]
        ),
        hosts=tuple(_hosts(detections or {})),
        subject=(_text(message, "subject") or "").casefold(),
        text=_searchable_text(message, detections or {}),
        disposition=_text(message, "final_disposition"),
        edf_hash=_text(message, "edf_hash"),
        helo_ip=_text(message, "smtp_helo_server_ip"),
        folder=_folder(message, quarantined=quarantined),
        quarantined=quarantined,
        submission=message.get("is_phish_submission") is True,
        operations=tuple(map(str, _list(message, "post_delivery_operations"))),
        statuses=tuple(map(str, _list(message, "delivery_status"))),
        addressees=tuple(map(str, _list(message, "client_recipients"))),
        record=dump_json(record),
        detections=dump_json(detections) if detections else None,
        shape=shape,
    )


def _select_fields(record: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Drop the fields that the chosen generation no longer sends."""
    if shape is Shape.OLD:
        return record
    dropped = _PAST_EOL if shape is Shape.NEW else _PAST_EOL + _PAST_EOL_THOUGH_REQUIRED
    return {name: value for name, value in record.items() if name not in dropped}


def _action_log_entry(action: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """Build an entry of the deprecated `action_log` field, which has fewer properties."""
    known = {
        name: value
        for name, value in action["properties"].items()
        if name in ("folder", "requested_by")
    }
    entry = {name: action[name] for name in ("completed_at", "operation", "status")} | {
        "properties": known
    }
    return entry | {"completed_timestamp": action["completed_at"]} if shape is Shape.OLD else entry


def _folder(message: Mapping[str, Any], *, quarantined: bool) -> str | None:
    if quarantined:
        return QUARANTINE

    for entry in reversed(_list(message, "action_log")):
        properties = entry.get("properties") if isinstance(entry, dict) else None
        if isinstance(properties, dict) and isinstance(properties.get("folder"), str):
            return str(properties["folder"])

    return None if "MOVE" in _list(message, "post_delivery_operations") else INBOX


def _searchable_text(message: Mapping[str, Any], detections: Mapping[str, Any]) -> str:
    """Return what `query` searches: sender, recipient, subject, message id, attachments (§1.3)."""
    words = [
        message.get("from"),
        message.get("from_name"),
        message.get("subject"),
        message.get("message_id"),
        *_list(message, "to"),
    ]
    for attachment in _list(detections, "attachments"):
        if isinstance(attachment, dict):
            words += [
                attachment.get(name) for name in ("name", "filename", "md5", "sha1", "sha256")
            ]

    return "\n".join(word for word in words if isinstance(word, str)).casefold()


def _hosts(detections: Mapping[str, Any]) -> Iterator[str]:
    for link in _list(detections, "links"):
        href = link.get("href") if isinstance(link, dict) else None
        try:
            host = urlsplit(href).hostname if isinstance(href, str) else None
        except ValueError:
            continue
        if host:
            yield host.casefold()


def _casefold(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(value.casefold() for value in values if isinstance(value, str) and value)
    )


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) else None


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    return value if isinstance(value, list) else []
