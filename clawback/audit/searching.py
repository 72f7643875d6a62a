"""Searches an audit for people, one line at a time: memory does not grow with the audit.

Most lines are skipped by their bytes, because reading one as JSON costs a hundred times more.
"""

import json
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from clawback.audit.chain import Head
from clawback.audit.files import walk_audit_files
from clawback.model.audit_record import AuditRecord

_CASE_WORDS: Final = 3
"""Of the id of a case; that of a further part has one more."""
_REMEMBERED: Final = 10_000
"""Ids of matches that are told apart from repeats, which follow each other closely."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What a record must be like; empty fields admit everything.

    `case` also finds the parts of a campaign, `digits` are the first of the hash in its id;
    `message` compares targets and events; `outcome` may be its first word (`failed`); each word of
    `text` must be somewhere in the record, in any case.
    """

    case: str = ""
    digits: str = ""
    rule: str = ""
    actor: str = ""
    message: str = ""
    action: str = ""
    outcome: str = ""
    kind: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def admits(self, record: AuditRecord) -> bool:
        """Whether a record is one of those."""
        return (
            (not self.since or record.at >= self.since)
            and (not self.until or record.at < self.until)
            and _is(self.kind, record.kind)
            and _is(self.rule, record.rule)
            and _is(self.action, record.action)
            and _is(self.actor.casefold(), record.actor.casefold())
            and _is_within(self.case, record.case, "/")
            and (not self.digits or _hash_of(record.case).startswith(self.digits))
            and _is_within(self.outcome, record.outcome, ":")
            and (not self.message or self.message in _messages_of(record))
            and self._has_text(record)
        )

    def needles(self) -> list[bytes]:
        """Return bytes that each line of such a record has."""
        digits = f"/{self.digits}" if self.digits else ""
        exact = (digits, self.case, self.rule, self.message, self.action, self.outcome, self.kind)
        return [
            json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "backslashreplace")
            for value in exact
            if value
        ]

    def _has_text(self, record: AuditRecord) -> bool:
        if not self.text:
            return True
        values = record.model_dump(mode="json", exclude_none=True).values()
        everything = "\n".join(map(str, values)).casefold()
        return all(word in everything for word in self.text.casefold().split())


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record, the number of its line, and the hash of that line."""

    sequence: int
    record: AuditRecord
    hash: str = ""

    @property
    def head(self) -> Head:
        """What `audit verify --head` takes to check that this line still exists."""
        return Head(self.sequence, self.hash)


class AuditSearch:
    """One search; counts the records it gave, and the lines that could not be read."""

    def __init__(self, path: Path, wanted: AuditFilter, *, rotated: bool = True) -> None:
        self._path = path
        self._wanted = wanted
        self._has_rotated = rotated
        self._seen: OrderedDict[str, None] = OrderedDict()
        self.damaged = 0
        self.admitted = 0

    def __iter__(self) -> Iterator[FoundRecord]:
        """Give the records, oldest first, each once, from rotated files too unless excluded.

        Raises:
            OSError: a file cannot be read.

        """
        needles = self._wanted.needles()
        after = 0 if self._has_rotated else sys.maxsize
        for _, lines in walk_audit_files(self._path, after):
            for line in lines:
                # The last line of the live file may still be written.
                if not line.endswith(b"\n") or any(one not in line for one in needles):
                    continue
                found = self._read(line)
                if found is not None and self._is_new(found.record.id):
                    self.admitted += 1
                    yield found

    def _read(self, line: bytes) -> FoundRecord | None:
        try:
            event = _load(line)
            record = AuditRecord.model_validate(event["unmapped"])
            sequence = int(event["metadata"]["sequence"])
            if not self._wanted.admits(record):
                return None
            return FoundRecord(sequence, record, str(event["unmapped"]["hash"]))
        except (ValueError, KeyError, TypeError):
            self.damaged += 1
            return None

    def _is_new(self, id_: str) -> bool:
        if id_ in self._seen:
            return False
        self._seen[id_] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True


def find_cases(path: Path, digits: str, rule: str = "") -> list[str]:
    """Find the ids of all cases in an audit whose hash begins with digits, perhaps of one rule.

    Raises:
        OSError: a file cannot be read.

    """
    found = AuditSearch(path, AuditFilter(digits=digits, rule=rule))
    cases = ("/".join((one.record.case or "").split("/")[:_CASE_WORDS]) for one in found)
    return sorted(set(cases))


def _hash_of(case: str | None) -> str:
    words = (case or "").split("/")
    return words[_CASE_WORDS - 1] if len(words) >= _CASE_WORDS else ""


def _load(line: bytes) -> Mapping[str, Any]:
    try:
        event: Mapping[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        # orjson refuses lone surrogates, which a record that nobody could parse may hold.
        event = json.loads(line)
    return event


def _is(wanted: str, value: str | None) -> bool:
    return not wanted or value == wanted


def _is_within(wanted: str, value: str | None, separator: str) -> bool:
    return not wanted or value == wanted or (value or "").startswith(wanted + separator)


def _messages_of(record: AuditRecord) -> set[str]:
    event = record.event or ""
    inner = event.partition("/")[2]
    return {record.target or "", event, inner, inner.partition("/")[0]} - {""}
