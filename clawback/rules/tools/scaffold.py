"""Scaffolds a shadow-mode rule with tests from the distinctive fields of one event.

The rule loads and passes its tests; whether it is a good rule is for its author to decide.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from clawback.model.events import SOURCES, Event, EventKind, source_of
from clawback.rules.engine.field_values import reader_of
from clawback.rules.source.field_catalogue import find_field
from clawback.rules.source.yaml_reader import HIDDEN

_NO_VERDICTS = frozenset({"NONE", "UNKNOWN", "EXTERNAL", "ENCRYPTED"})
_LONGEST = 60
_LONGEST_NAME = 64
_MOST_HINTS = 8
_PLAIN = re.compile(r"[A-Z][A-Z-]+")
_WORDS = frozenset({"y", "n", "no", "on", "off", "yes", "null", "true", "false"})
_REPLY = re.compile(r"^(?:\s*(?:re|fw|fwd|aw|wg)\s*:)+\s*", re.IGNORECASE)

_HINTS = (
    ("from_name", ""),
    ("replyto", ""),
    ("threat_categories", ""),
    ("validation.dmarc", ""),
    ("delivery_mode", ""),
    ("htmltext_structure_hash", ""),
    ("edf_hash", ""),
    ("detections.links.href", "contains"),
    ("detections.attachments.name", "endswith"),
)


class NothingDistinctive(ValueError):
    """The event has no field that a rule could test."""


_OTHERS = (
    "someone@else.invalid",
    "0",
    "~",
)  # a short text may be part of some, never of all


@dataclass(frozen=True, slots=True)
class Clue:
    """One line of a detection, with the value that the event has."""

    field: str
    modifier: str
    wanted: str
    actual: str

    def __str__(self) -> str:
        key = f"{self.field}|{self.modifier}" if self.modifier else self.field
        return f"{key}: {quoted(_escaped(self.wanted))}"


@dataclass(frozen=True, slots=True)
class Draft:
    """The name, id and date of a new rule, and the path to the JSON Schema, if any."""

    name: str
    id: UUID
    today: date
    schema: str = ""


def suggest_name(event: Event) -> str:
    """Suggest a name for a rule: the verdict and the sender of the event."""
    clues = distinctive_clues(event, ())
    words = "_".join(clue.wanted for clue in clues[:2]) or event.kind
    ascii_words = unicodedata.normalize("NFKD", words.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", ascii_words).strip("_")[: _LONGEST_NAME - 8].rstrip("_")
    return name if re.match(r"[a-z]", name) else f"rule_{name}".rstrip("_")


def scaffold(event: Event, draft: Draft, shared_domains: Sequence[str] = ()) -> str:
    """Write a rule file whose rule matches an event.

    Senders in `shared_domains` (free mail) are matched by address, all others by domain.

    Raises:
        NothingDistinctive: the event has no verdict, sender or subject.

    """
    clues = distinctive_clues(event, shared_domains)
    if not clues:
        raise NothingDistinctive(
            "the event has no verdict, sender or subject that a rule could test"
        )

    first = [f"# yaml-language-server: $schema={draft.schema}"] if draft.schema else []
    lines = [
        *first,
        *_head(event, draft, clues),
        *_detection(event, clues),
        *_response(),
        *_tests(event, clues),
    ]
    return "\n".join(lines) + "\n"


def distinctive_clues(event: Event, shared_domains: Sequence[str]) -> list[Clue]:
    """Give the verdict and the sender of an event, and the subject if one of them is missing."""
    verdict = next(_clues(event, source_of(event).verdict_fields), None)
    sender = next(_clues(event, source_of(event).sender_fields), None)
    found = [verdict] if verdict is not None and verdict.actual.upper() not in _NO_VERDICTS else []
    found += [_by_domain(sender, shared_domains)] if sender is not None else []

    if len(found) < len(("verdict", "sender")):
        found += [_part(clue) for clue in _clues(event, source_of(event).subject_fields)][:1]

    return found


def _clues(event: Event, fields: Sequence[str]) -> Iterator[Clue]:
    for field in fields:
        values = reader_of(tuple(field.split(".")))(event.record)
        value = next((one for one in values if isinstance(one, str) and one.strip()), None)
        if value is not None and _is_known(event.kind, field, value):
            text = value.encode("utf-8", "replace").decode()
            yield Clue(field, "", text, text)


def _is_known(kind: EventKind, name: str, value: str) -> bool:
    """Whether a rule may test for a value: an enum has only its known values."""
    field = find_field(kind, name)
    return field is not None and (
        not field.values or value.upper() in {one.upper() for one in field.values}
    )


def _by_domain(clue: Clue, shared_domains: Sequence[str]) -> Clue:
    _, at, domain = clue.actual.rpartition("@")
    if not at or not domain or domain.strip().lower() in shared_domains:
        return clue
    return Clue(clue.field, "endswith", f"@{domain}", clue.actual)


def _part(clue: Clue) -> Clue:
    """Match a readable part of a long text, without reply prefixes."""
    text = _REPLY.sub("", clue.actual) or clue.actual
    part = text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(" ")[0] or text[:_LONGEST]
    return Clue(clue.field, "contains", part, clue.actual)


# ---- the parts of the file


def _head(event: Event, draft: Draft, clues: Sequence[Clue]) -> list[str]:
    title = f"Mail like that of {event.at:%F}: {_join_wanted(clues)}"
    return [
        f"title: {quoted(title[:200])} # say what it finds",
        f"id: {draft.id}",
        f"name: {_as_name(draft.name)}",
        "status: experimental # at most shadow; test: at most approve; stable: at most enforce",
        f"description: {quoted(f'Made from {event.key}.'[:500])} # say why it matters",
        f"date: {draft.today}",
        "tags: [attack.t1566, attack.initial-access]",
        f"logsource: {{product: cloudflare, service: email_security, category: {event.kind}}}",
    ]


def _join_wanted(clues: Sequence[Clue]) -> str:
    return ", ".join(clue.wanted for clue in clues)


def _detection(event: Event, clues: Sequence[Clue]) -> list[str]:
    used = {clue.field for clue in clues}
    joined = source_of(event).message_prefix
    hints = [
        _hint(clue, modifier)
        for field, modifier in _HINTS
        for clue in list(_clues(event, [joined + field]))[:1]
    ]
    subjects = [_part(clue) for clue in _clues(event, source_of(event).subject_fields[:1])]
    others = [clue for clue in (*subjects, *hints) if clue.field not in used][:_MOST_HINTS]

    return [
        "detection:",
        "  distinctive:",
        *(f"    {clue}" for clue in clues),
        *(f"    # {clue}" for clue in others),
        f"  filter_handled: {{{joined}is_quarantined: true}}",
        "  condition: distinctive and not 1 of filter_*",
    ]


def _hint(clue: Clue, modifier: str) -> Clue:
    host = re.match(r"[a-z]+://([^/?#\s]+)", clue.actual, re.IGNORECASE)
    if modifier == "contains" and host is not None:
        return Clue(clue.field, modifier, host[1], clue.actual)
    if modifier == "endswith" and "." in clue.actual:
        return Clue(clue.field, modifier, "." + clue.actual.rpartition(".")[2], clue.actual)
    return Clue(clue.field, "", clue.actual[:_LONGEST], clue.actual)


def _response() -> list[str]:
    return [
        "falsepositives: [Not known yet] # see what shadow mode finds",
        "level: medium",
        "response:",
        "  mode: shadow",
        "  actions:",
        "    - move: {destination: JunkEmail}",
    ]


def _tests(event: Event, clues: Sequence[Clue]) -> list[str]:
    record = {clue.field: clue.actual for clue in clues}
    joined = source_of(event).message_prefix
    last = clues[-1]
    other = {**record, last.field: _different_value(last)}
    handled: dict[str, str | bool] = {**record, f"{joined}is_quarantined": True}

    return [
        "tests:",
        f"  - {{name: the event it was made from, event: {_flow(record)}, expect: match}}",
        f"  - {{name: {quoted(f'another {last.field}')}, event: {_flow(other)}, expect: no match}}",
        f"  - {{name: already quarantined, event: {_flow(handled)}, expect: no match}}",
    ]


def _different_value(clue: Clue) -> str:
    if any(clue.field in source.verdict_fields for source in SOURCES.values()):
        return "SPAM" if clue.actual.upper() != "SPAM" else "BULK"
    return next(other for other in _OTHERS if clue.wanted.casefold() not in other)


def _flow(record: Mapping[str, str | bool]) -> str:
    tree: dict[str, Any] = {}
    for field, value in record.items():
        *parents, name = field.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = value

    return _render(tree)


def _render(node: Any) -> str:
    if isinstance(node, dict):
        return "{" + ", ".join(f"{key}: {_render(value)}" for key, value in node.items()) + "}"
    return json.dumps(node) if isinstance(node, bool) else quoted(node)


# ---- quoting


def quoted(text: str) -> str:
    """Quote a text for YAML with every character visible; a word in capitals stays plain."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    return '"' + "".join(map(_visible, text)) + '"'


def _as_name(name: str) -> str:
    return f'"{name}"' if name in _WORDS else name


def _visible(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == " " or unicodedata.category(character) not in HIDDEN:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def _escaped(text: str) -> str:
    """Escape the wildcards of Sigma."""
    return re.sub(r"[\\*?]", r"\\\g<0>", text)
