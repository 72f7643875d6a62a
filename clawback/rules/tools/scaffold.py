"""A first rule from one event: its most telling fields as a detection, with tests, on trial.

Somebody goes on from there.

Pure: an event in, the text of a rule file out. What it writes loads and passes its own tests;
whether it is a good rule is not known.
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
from clawback.rules.engine.field_values import iterate_values
from clawback.rules.source.catalogue import find_field
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


class NothingTelling(ValueError):
    """The event has no field that a rule could ask for."""


_OTHERS = (
    "someone@else.invalid",
    "0",
    "~",
)  # a short text may be part of one of them, never of all


@dataclass(frozen=True, slots=True)
class Clue:
    """One line of a detection.

    The field, its modifier, what it asks for, and the value of the event.
    """

    field: str
    modifier: str
    wanted: str
    actual: str

    def __str__(self) -> str:
        key = f"{self.field}|{self.modifier}" if self.modifier else self.field
        return f"{key}: {quoted(_escaped(self.wanted))}"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new rule is given.

    Its name, a fresh id, the day, and the way from its file to the JSON Schema, if there is one.
    """

    name: str
    id: UUID
    today: date
    schema: str = ""


def suggest_name(event: Event) -> str:
    """Suggest a name for a rule made from an event: what it is and whose."""
    clues = telling(event, ())
    words = "_".join(clue.wanted for clue in clues[:2]) or event.kind
    ascii_words = unicodedata.normalize("NFKD", words.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", ascii_words).strip("_")[: _LONGEST_NAME - 8].rstrip("_")
    return name if re.match(r"[a-z]", name) else f"rule_{name}".rstrip("_")


def scaffold(event: Event, draft: Draft, shared_domains: Sequence[str] = ()) -> str:
    """Write a rule file whose rule matches an event.

    Senders of `shared_domains` (free mail) are asked for by their whole address.

    Raises:
        NothingTelling: the event has neither a verdict nor a sender nor a subject.

    """
    clues = telling(event, shared_domains)
    if not clues:
        raise NothingTelling(
            "the event has neither a verdict, nor a sender, nor a subject: there is nothing to ask for"
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


def telling(event: Event, shared_domains: Sequence[str]) -> list[Clue]:
    """Give what tells an event from others.

    Its verdict and its sender; the subject where one of these is missing.
    """
    verdict = next(_clues(event, source_of(event).verdict_fields), None)
    sender = next(_clues(event, source_of(event).sender_fields), None)
    found = [verdict] if verdict is not None and verdict.actual.upper() not in _NO_VERDICTS else []
    found += [_by_domain(sender, shared_domains)] if sender is not None else []
    if len(found) < len(("verdict", "sender")):
        found += [_part(clue) for clue in _clues(event, source_of(event).subject_fields)][:1]
    return found


def _clues(event: Event, fields: Sequence[str]) -> Iterator[Clue]:
    for field in fields:
        values = iterate_values(event.record, tuple(field.split(".")))
        value = next((one for one in values if isinstance(one, str) and one.strip()), None)
        if value is not None and _is_known(event.kind, field, value):
            text = value.encode("utf-8", "replace").decode()
            yield Clue(field, "", text, text)


def _is_known(kind: EventKind, name: str, value: str) -> bool:
    """Whether a rule may ask for a value: any text, but of an enumeration only what it has."""
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
    """Ask for a readable part of a long text, without the marks of a reply."""
    text = _REPLY.sub("", clue.actual) or clue.actual
    part = text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(" ")[0] or text[:_LONGEST]
    return Clue(clue.field, "contains", part, clue.actual)


# ---- the parts of the file


def _head(event: Event, draft: Draft, clues: Sequence[Clue]) -> list[str]:
    return [
        f"title: {quoted(f'Mail like that of {event.at:%F}: {_shown(clues)}'[:200])} # say what it finds",
        f"id: {draft.id}",
        f"name: {_as_name(draft.name)}",
        "status: experimental # it may only shadow; test may approve, stable may enforce",
        f"description: {quoted(f'Made from {event.key}.'[:500])} # say why it matters",
        f"date: {draft.today}",
        "tags: [attack.t1566, attack.initial-access]",
        f"logsource: {{product: cloudflare, service: email_security, category: {event.kind}}}",
    ]


def _shown(clues: Sequence[Clue]) -> str:
    return ", ".join(clue.wanted for clue in clues)


def _detection(event: Event, clues: Sequence[Clue]) -> list[str]:
    told = {clue.field for clue in clues}
    joined = source_of(event).message_prefix
    hints = [
        _hint(clue, modifier)
        for field, modifier in _HINTS
        for clue in list(_clues(event, [joined + field]))[:1]
    ]
    subjects = [_part(clue) for clue in _clues(event, source_of(event).subject_fields[:1])]
    others = [clue for clue in (*subjects, *hints) if clue.field not in told][:_MOST_HINTS]
    return [
        "detection:",
        "  telling:",
        *(f"    {clue}" for clue in clues),
        *(f"    # {clue}" for clue in others),
        f"  filter_handled: {{{joined}is_quarantined: true}}",
        "  condition: telling and not 1 of filter_*",
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
        "falsepositives: [Not known yet] # what the shadow shows",
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
    other = {**record, last.field: _another(last)}
    handled: dict[str, str | bool] = {**record, f"{joined}is_quarantined": True}
    return [
        "tests:",
        f"  - {{name: the event it was made from, event: {_flow(record)}, expect: match}}",
        f"  - {{name: {quoted(f'another {last.field}')}, event: {_flow(other)}, expect: no match}}",
        f"  - {{name: already quarantined, event: {_flow(handled)}, expect: no match}}",
    ]


def _another(clue: Clue) -> str:
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
    return _written(tree)


def _written(node: Any) -> str:
    if isinstance(node, dict):
        return "{" + ", ".join(f"{key}: {_written(value)}" for key, value in node.items()) + "}"
    return json.dumps(node) if isinstance(node, bool) else quoted(node)


# ---- texts


def quoted(text: str) -> str:
    """Write a text so that YAML and people read the same.

    Plain if it is one word in capitals, else in double quotes, all visible.
    """
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
    """Write a text as Sigma means it: no wildcards."""
    return re.sub(r"[\\*?]", r"\\\g<0>", text)
