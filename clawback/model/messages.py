"""Messages as cases act on them, and the folders and dispositions that the API knows."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from clawback.model.providers import Provider
from clawback.model.texts import bounded
from clawback.model.times import UtcDatetime

MAX_MESSAGES_PER_REQUEST = 1000
"""The most messages that one move, release or report may name (reference §2)."""
_LONGEST_VERDICT = 40
_LONGEST_ADDRESS = 320
_LONGEST_MESSAGE_ID = 998
"""Bytes of the longest line of a mail (RFC 5322 §2.1.1); a longer Message-ID identifies nothing."""
LONGEST_SUBJECT = 200
LONGEST_NAME = 100
"""Bytes of a subject and of a display name: enough for people to recognize a mail."""
_LONGEST_RESULT = 20


def _is_none(value: object) -> bool:
    return value is None


class Destination(StrEnum):
    """The five folders of POST `investigate/move` (reference §2.1)."""

    INBOX = "Inbox"
    JUNK = "JunkEmail"
    DELETED = "DeletedItems"
    RECOVERABLE = "RecoverableItemsDeletions"
    PURGES = "RecoverableItemsPurges"


class Disposition(StrEnum):
    """The six dispositions that a reclassification may ask for (reference §2.3)."""

    NONE = "NONE"
    BULK = "BULK"
    MALICIOUS = "MALICIOUS"
    SPAM = "SPAM"
    SPOOF = "SPOOF"
    SUSPICIOUS = "SUSPICIOUS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One message that a case may act on, as it was when it was read.

    `id` is the investigate id, which every operation takes; `message_id` the RFC 5322 header; `at`
    when it was scanned; `verdict` the final disposition, which the guard watches for surges;
    `sender` the address in the From header; `mailbox` the one that it went to; `quarantined`
    whether it was in quarantine (None: the API did not say); `protected` whether that mailbox is
    one of `lists/protected_people.yml`; `provider` where that mailbox is, if folders are missing
    there.

    `subject`, `sender_name` (the display name in the From header) and the results of `spf`, `dkim`
    and `dmarc` are for people alone: nothing is decided by them.

    Like every payload it ignores unknown keys. But cases hold many, and a model would take a
    kilobyte more than a dataclass with slots.
    """

    id: str
    message_id: str | None = None
    at: UtcDatetime
    verdict: str | None = None
    sender: str | None = None
    mailbox: str | None = None
    quarantined: bool | None = None
    # Left out if false: nearly every message of a history would say so.
    protected: bool = Field(default=False, exclude_if=lambda value: not value)
    provider: Provider | None = Field(default=None, exclude_if=_is_none)
    subject: str | None = Field(default=None, exclude_if=_is_none)
    sender_name: str | None = Field(default=None, exclude_if=_is_none)
    spf: str | None = Field(default=None, exclude_if=_is_none)
    dkim: str | None = Field(default=None, exclude_if=_is_none)
    dmarc: str | None = Field(default=None, exclude_if=_is_none)

    @classmethod
    def of(cls, id_: str, at: datetime, record: Mapping[str, Any]) -> "Target":
        """Read a message from its Investigate record; odd values are left out, long ones cut."""
        verdict = record.get("final_disposition")
        quarantined = record.get("is_quarantined")
        results = record.get("validation")
        authentication = results if isinstance(results, Mapping) else {}
        return cls(
            id=id_,
            message_id=_message_id(record.get("message_id")),
            at=at,
            verdict=_text(verdict, _LONGEST_VERDICT),
            sender=_first_address(record.get("from")),
            mailbox=_first_address(record.get("client_recipients")),
            quarantined=quarantined if isinstance(quarantined, bool) else None,
            subject=_text(record.get("subject"), LONGEST_SUBJECT),
            sender_name=_text(record.get("from_name"), LONGEST_NAME),
            spf=_text(authentication.get("spf"), _LONGEST_RESULT),
            dkim=_text(authentication.get("dkim"), _LONGEST_RESULT),
            dmarc=_text(authentication.get("dmarc"), _LONGEST_RESULT),
        )

    @property
    def authentication(self) -> str:
        """What is known of its sender: `spf fail, dmarc none`, or that everything passed."""
        results = {"spf": self.spf, "dkim": self.dkim, "dmarc": self.dmarc}
        known = {name: result.lower() for name, result in results.items() if result}
        failed = [f"{name} {result}" for name, result in known.items() if result != "pass"]
        return ", ".join(failed) or (f"{', '.join(known)} pass" if known else "")

    @property
    def without_texts(self) -> "Target":
        """The message without what is for people alone: requests and undo need nothing of it."""
        texts = (self.subject, self.sender_name, self.spf, self.dkim, self.dmarc)
        if not any(texts):
            return self
        return replace(self, subject=None, sender_name=None, spf=None, dkim=None, dmarc=None)


def postfix_id_of(investigate_id: str) -> str:
    """The postfix id in an investigate id, `<postfix id>-<time>-<number>` (reference §2.9).

    Reports and submissions name only the postfix id. A message to several mailboxes has one of
    these, and an investigate id for each.
    """
    return investigate_id.partition("-")[0]


def _text(value: object, limit: int) -> str | None:
    return bounded(value, limit) if isinstance(value, str) and value else None


def _first_address(value: object) -> str | None:
    first = value[0] if isinstance(value, list) and value else value
    return _text(first, _LONGEST_ADDRESS)


def _message_id(value: object) -> str | None:
    text = value if isinstance(value, str) else ""
    return text if text and bounded(text, _LONGEST_MESSAGE_ID) == text else None
