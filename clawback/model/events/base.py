"""Events, and what a kind of event must have.

An event is the API's own record under its current field names, plus what code needs to know about
it. Building one fails only for a missing id; odd values stay as they came, for rules to see.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from clawback.model.events.canonical_record import DETECTIONS_FORMS, Forms, canonicalizer
from clawback.model.messages import Target
from clawback.model.notations import canonical_address
from clawback.model.texts import bounded
from clawback.model.times import parse_sensible_time

LONGEST_ID = 512
"""Bytes of the longest id of a record; the API's own have about fifty. Requests carry it whole."""
MESSAGE = "message"

_canonical_detections = canonicalizer(DETECTIONS_FORMS)


class Enrichment(StrEnum):
    """What is read of a message only if a rule depends on it, in this order.

    The values are the names of its objects in the record of the message.
    """

    DETECTIONS = "detections"
    HISTORY = "history"

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        return "/detections" if self is Enrichment.DETECTIONS else "the history of the sender"


class EventKind(StrEnum):
    """The kinds of events; the values are the `logsource.category` of a rule."""

    MESSAGE = "message"
    PHISHGUARD_REPORT = "phishguard_report"
    SUBMISSION = "submission"


class NotAnEvent(ValueError):
    """A record without a usable id."""


@dataclass(frozen=True, slots=True)
class Event:
    """One record of one source, as rules see it.

    `record` holds the API's JSON under current names, with addresses, domains and IP addresses in
    their canonical form; `original` is the record as it came, where that differs.
    `record["detections"]` is the response of `/detections`, and `record["history"]` what the sender
    sent before (absent: not read). On reports and submissions `record["message"]` is the joined
    message, and `copies` are what it is in each mailbox. `handled` says that somebody had
    moved, released or quarantined the message before it was read. `version` tells the states of a
    changing record apart, such as a submission before and after its review: each state is an event,
    and all of them have one `identity`. Without a time that makes sense, in it or in its message,
    it is not `is_dated`, and `at` is when it was read: how old it is, is unknown.
    """

    kind: EventKind
    id: str
    at: datetime
    record: Mapping[str, Any]
    copies: tuple[Target, ...] = ()
    handled: bool = False
    version: str = ""
    original: Mapping[str, Any] | None = None
    is_dated: bool = True

    @property
    def as_read(self) -> Mapping[str, Any]:
        """The record as the API gave it, for people and for requests."""
        return self.record if self.original is None else self.original

    @property
    def targets(self) -> tuple[Target, ...]:
        """The messages that a case may act on: the event's own, or the copies of the joined one."""
        # Built on demand, because most events match nothing.
        if self.kind is EventKind.MESSAGE:
            return (Target.of(self.id, self.at, self.as_read),)
        return self.copies

    @property
    def has_message(self) -> bool:
        """Whether the event is about a message that is known."""
        return self.kind is EventKind.MESSAGE or bool(self.copies)

    @property
    def identity(self) -> str:
        """The id of the record, unique over all kinds; correlation windows count by it."""
        return f"{self.kind}/{self.id}"

    @property
    def key(self) -> str:
        """The id of this state of the record, unique over all kinds; cases deduplicate by it."""
        return f"{self.identity}@{self.version}" if self.version else self.identity

    @property
    def message(self) -> Mapping[str, Any]:
        """The record of the message: the event's own, or the joined one; empty without a join."""
        if self.kind is EventKind.MESSAGE:
            return self.record
        message = self.record.get(MESSAGE)
        return message if isinstance(message, Mapping) else {}

    def with_detections(self, detections: Mapping[str, Any]) -> "Event":
        """The same event with the response of `/detections`, also in its joined message."""
        return self.enriched(Enrichment.DETECTIONS, detections)

    def enriched(self, enrichment: Enrichment, value: Mapping[str, Any]) -> "Event":
        """The same event with an enrichment, also in its joined message."""
        name = enrichment.value
        has_forms = enrichment is Enrichment.DETECTIONS
        canonical = _canonical_detections(value) if has_forms else value
        record = {**self.record, name: canonical}
        if self.kind is not EventKind.MESSAGE and self.message:
            record[MESSAGE] = {**self.message, name: canonical}
        original = self.original
        if original is not None or canonical is not value:
            original = {**self.as_read, name: value}
        # `replace` costs four times as much, and this is done for every event.
        return Event(
            self.kind,
            self.id,
            self.at,
            record,
            self.copies,
            self.handled,
            self.version,
            original,
            self.is_dated,
        )

    def with_message(self, message: "Event", others: tuple[Target, ...] = ()) -> "Event":
        """The same event joined to its message; `others` are further copies of the message."""
        is_canonical = self.original is None and message.original is None
        return replace(
            self,
            record={**self.record, MESSAGE: message.record},
            original=None if is_canonical else {**self.as_read, MESSAGE: message.as_read},
            copies=(*message.targets, *others),
            handled=message.handled,
            is_dated=self.is_dated and message.is_dated,
        )


@dataclass(frozen=True, slots=True)
class JoinSearch:
    """A search for the message that an event is about.

    Its times are rounded, so that the events of one campaign share one search.
    """

    start: datetime
    end: datetime
    sender: str | None = None
    subject: str | None = None


class EventSource(ABC):
    """What one kind of event is, wherever code must know. One subclass and module per kind."""

    kind: ClassVar[EventKind]
    forms: ClassVar[Forms]
    """The canonical forms of its fields."""
    short_name: ClassVar[str]
    """The key of a record in event files and corpora."""
    id_field: ClassVar[str]
    message_prefix: ClassVar[str] = f"{MESSAGE}."
    """The prefix of the message's fields in rules."""
    default_group: ClassVar[tuple[str, ...]] = (f"{MESSAGE}.edf_hash",)
    """The `group-by` of a rule that gives none."""
    verdict_fields: ClassVar[tuple[str, ...]]
    sender_fields: ClassVar[tuple[str, ...]]
    subject_fields: ClassVar[tuple[str, ...]]
    has_change_time: ClassVar[bool] = True
    """Whether the time of an event says when its record came into this state."""
    settings_prefix: ClassVar[str] = ""
    """The prefix of `interval` and `lookback` in the settings of its poller."""

    def __init__(self) -> None:
        self._canonical_record = canonicalizer(self.forms)

    @property
    def is_joined(self) -> bool:
        """Whether an event is about a message that must be found first."""
        return self.message_prefix != ""

    @abstractmethod
    def build(self, record: Mapping[str, Any], seen_at: datetime) -> Event:
        """Build the event of a record that was read at `seen_at`.

        Raises:
            NotAnEvent: the record has no id.

        """

    def is_shape_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a record of unknown kind can only be of this one."""
        return self.id_field != "id" and self.id_field in record

    def reporter(self, event: Event) -> str | None:  # noqa: ARG002 - subclasses use it
        """The address of the user who reported the message; None if the API does not say."""
        return None

    def may_be_own(self, event: Event) -> bool:  # noqa: ARG002 - subclasses use it
        """Whether clawback itself may have caused the event by a reclassification."""
        return False

    # ---- joining, for kinds that are about a message

    def postfix_id(self, event: Event) -> str | None:  # noqa: ARG002 - subclasses use it
        """The postfix id of the message; None if the record has none."""
        return None

    def named_recipients(self, event: Event) -> frozenset[str]:  # noqa: ARG002 - subclasses use it
        """Canonical addresses, one of which is the recipient of the right copy."""
        return frozenset()

    def join_search(self, event: Event) -> JoinSearch:
        """The narrowest search that finds the message."""
        raise NotImplementedError(f"a {event.kind} is not joined")

    # ---- for subclasses

    def _event(
        self,
        record: Mapping[str, Any],
        at: datetime | None,
        seen_at: datetime,
        *,
        handled: bool = False,
        version: str = "",
    ) -> Event:
        id_, time = self._id_of(record), seen_at if at is None else at
        canonical = self._canonical_record(record)
        original = None if canonical is record else record
        is_dated = at is not None
        return Event(self.kind, id_, time, canonical, (), handled, version, original, is_dated)

    def _id_of(self, record: Mapping[str, Any]) -> str:
        value = record.get(self.id_field)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise NotAnEvent(f"the record has no {self.id_field!r}")

        id_ = str(value)
        if bounded(id_, LONGEST_ID) != id_:
            raise NotAnEvent(f"{self.id_field!r} is no id: too long, or not Unicode")

        return id_


def first_time(record: Mapping[str, Any], seen_at: datetime, *fields: str) -> datetime | None:
    """Read the first sensible time among some fields, never later than `seen_at`."""
    times = (parse_sensible_time(record.get(field), seen_at) for field in fields)
    time = next(filter(None, times), None)
    return time and min(time, seen_at)


def text_or_none(value: object) -> str | None:
    """Give a value if it is a text that is not empty."""
    return value if isinstance(value, str) and value else None


def canonical_addresses(values: object) -> frozenset[str]:
    """Give the texts of a list as canonical addresses."""
    if not isinstance(values, Iterable) or isinstance(values, str | Mapping):
        return frozenset()
    return frozenset(canonical_address(value) for value in values if isinstance(value, str))
