"""Scaffolds a shadow-mode rule with tests from the distinctive fields of events.

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

from clawback.model.events import SOURCES, Event, source_of
from clawback.model.normal_text import normal_form
from clawback.rules.source.yaml_reader import HIDDEN
from clawback.rules.tools.clues import Choice, Clue, value_in

_LONGEST_NAME = 64
_MOST_TESTED = 3
_PLAIN = re.compile(r"[A-Z][A-Z-]+")
_WORDS = frozenset({"y", "n", "no", "on", "off", "yes", "null", "true", "false"})
_OTHERS = (
    "someone@else.invalid",
    "0",
    "~",
)  # a short text may be part of some, never of all


@dataclass(frozen=True, slots=True)
class Draft:
    """The name, id and date of a new rule, and the path to the JSON Schema, if any."""

    name: str
    id: UUID
    today: date
    schema: str = ""


def suggest_name(events: Sequence[Event], choice: Choice) -> str:
    """Suggest a name for a rule: the verdict and the sender of the events."""
    words = "_".join(clue.wanted for clue in choice.asked[:2]) or events[0].kind
    ascii_words = unicodedata.normalize("NFKD", words.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", ascii_words).strip("_")[: _LONGEST_NAME - 8].rstrip("_")
    return name if re.match(r"[a-z]", name) else f"rule_{name}".rstrip("_")


def scaffold(events: Sequence[Event], choice: Choice, draft: Draft) -> str:
    """Write a rule file whose rule matches all the events by what was chosen of them."""
    first = [f"# yaml-language-server: $schema={draft.schema}"] if draft.schema else []
    lines = [
        *first,
        *_head(events[0], draft, choice.asked),
        *_detection(events[0], choice),
        *_response(),
        *_tests(events, choice.asked),
    ]
    return "\n".join(lines) + "\n"


def render_clue(clue: Clue) -> str:
    """Write a line of a detection."""
    key = f"{clue.field}|{clue.modifier}" if clue.modifier else clue.field
    return f"{key}: {quoted(escape_wildcards(clue.wanted))}"


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


def _detection(event: Event, choice: Choice) -> list[str]:
    return [
        "detection:",
        "  distinctive:",
        *(f"    {render_clue(clue)}" for clue in choice.asked),
        *(f"    # {render_clue(clue)}" for clue in choice.offered),
        f"  filter_handled: {{{source_of(event).message_prefix}is_quarantined: true}}",
        "  condition: distinctive and not 1 of filter_*",
    ]


def _response() -> list[str]:
    return [
        "falsepositives: [Not known yet] # see what shadow mode finds",
        "level: medium",
        "response:",
        "  mode: shadow",
        "  actions:",
        "    - move: {destination: JunkEmail}",
    ]


def _tests(events: Sequence[Event], clues: Sequence[Clue]) -> list[str]:
    record = {clue.field: clue.actual for clue in clues}
    joined = source_of(events[0]).message_prefix
    last = clues[-1]
    other = {**record, last.field: _different_value(last)}
    handled: dict[str, str | bool] = {**record, f"{joined}is_quarantined": True}
    matching = {
        "the event it was made from" if number == 1 else f"event {number} of those": _flow(one)
        for number, one in enumerate(_records(events, clues), 1)
    }

    return [
        "tests:",
        *(f"  - {{name: {name}, event: {one}, expect: match}}" for name, one in matching.items()),
        f"  - {{name: {quoted(f'another {last.field}')}, event: {_flow(other)}, expect: no match}}",
        f"  - {{name: already quarantined, event: {_flow(handled)}, expect: no match}}",
    ]


def _records(events: Sequence[Event], clues: Sequence[Clue]) -> Iterator[dict[str, str]]:
    """The fields of a few different events that the rule asks for."""
    seen: list[dict[str, str]] = []
    for event in events:
        record = {clue.field: value_in(event, clue.field) for clue in clues}
        if record not in seen and len(seen) < _MOST_TESTED:
            seen.append(record)
            yield record


def _different_value(clue: Clue) -> str:
    if any(clue.field in source.verdict_fields for source in SOURCES.values()):
        return "SPAM" if clue.actual.upper() != "SPAM" else "BULK"
    wanted = normal_form(clue.wanted)
    return next(other for other in _OTHERS if wanted not in normal_form(other))


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


def escape_wildcards(text: str) -> str:
    """Escape the wildcards of Sigma."""
    return re.sub(r"[\\*?]", r"\\\g<0>", text)
