"""Messages as cases act on them, and the folders and dispositions that the API knows."""

from enum import StrEnum

from pydantic import Field

from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

MAX_MESSAGES_PER_REQUEST = 1000
"""The most messages that one move, release or report may name (reference §2)."""


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


class Target(Payload):
    """One message that a case may act on, as it was when it was read.

    `id` is the investigate id, which every operation takes; `message_id` the RFC 5322 header; `at`
    when it was scanned; `verdict` the final disposition, which the guard watches for surges;
    `sender` the address in the From header; `mailbox` the one that it went to; `quarantined`
    whether it was in quarantine (None: the API did not say); `protected` whether that mailbox is
    one of `lists/protected_people.yml`.
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


def postfix_id_of(investigate_id: str) -> str:
    """The postfix id in an investigate id, `<postfix id>-<time>-<number>` (reference §2.9).

    Reports and submissions name only the postfix id. A message to several mailboxes has one of
    these, and an investigate id for each.
    """
    return investigate_id.partition("-")[0]
