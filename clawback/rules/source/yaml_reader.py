"""Reads the unambiguous subset of YAML, and records the line and column of every key and value.

Refused: tabs, invisible and bidirectional characters, duplicate keys, anchors, aliases, tags, merge
keys, empty values, `yes`/`no`/`on`/`off`, and numbers that YAML versions read differently. This
module knows nothing about rules.
"""

import re
import unicodedata
from typing import Any

import yaml

from clawback.rules.source.errors import MOST_PER_FILE, Code, Place, Problems

LARGEST_FILE = 1 << 20
"""Bytes of the largest file of rules."""
_DEEPEST = 40
_LONGEST_NUMBER = 18
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_NUMBERISH = re.compile(
    # YAML 1.1: 0b1, 010, 1_000, 0x1f, 1:30 (sixty to a unit), 1_0.5, .5_0, 1:30.5
    r"[-+]?(?:0b[01_]+|0[0-7_]*|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)"
    r"|[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*"
    # YAML 1.2: 007, 0o17, 0x1f, 1., .5, 1e3
    r"|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    # both
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
"""What YAML 1.1 or 1.2 reads as a number."""
_BOOLEANS = {
    variant: meaning
    for words, meaning in (
        (("yes", "on", "y", "true"), True),
        (("no", "off", "n", "false"), False),
    )
    for word in words
    for variant in (word, word.capitalize(), word.upper())
}
"""The probable meaning of a string that some YAML versions read as a boolean."""
_EMPTY = "an empty value"
_BOOLEAN = "YAML versions disagree on whether this is a string or a boolean"
_NULL = "YAML versions disagree on whether this is a string or null"
_NUMBER = "YAML versions read this number differently"
_REMEDIES = {
    _EMPTY: "write null, or '' for an empty string",
    _BOOLEAN: "write true or false, or '{}' in quotes if it is a string",
    _NULL: "write null, or '{}' in quotes if it is a string",
    _NUMBER: "write a plain decimal number, or '{}' in quotes if it is a string",
}
_CHECK = "check quotes and indentation"
_NULLISH = frozenset({"null", "~"})
_NULL_VARIANTS = frozenset({"Null", "NULL"})
HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Zs"})
"""Unicode categories of invisible characters, which include every space but U+0020."""


class Table(dict[str, Any]):
    """A mapping with the place of each key and value."""

    __slots__ = ("keys_at", "place", "values_at")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.keys_at: dict[str, Place] = {}
        self.values_at: dict[str, Place] = {}


class Sequence(list[Any]):
    """A list with the place of each item."""

    __slots__ = ("items_at", "place")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.items_at: list[Place] = []


class Document:
    """One document of a file: its data, and the place in the file of every path in it."""

    def __init__(self, data: Any, place: Place) -> None:
        self.file = place.file
        self.data = data
        self.place = place

    def value_at(self, *path: str | int) -> Place:
        """Give the place of the value at a path, or of its nearest existing ancestor."""
        return self._walk(path, key_wanted=False)

    def key_at(self, *path: str | int) -> Place:
        """Give the place of the last key of a path."""
        return self._walk(path, key_wanted=True)

    def _walk(self, path: tuple[str | int, ...], *, key_wanted: bool) -> Place:
        node, place = self.data, self.place
        for depth, step in enumerate(path):
            if isinstance(node, Table) and step in node:
                places = node.keys_at if key_wanted and depth == len(path) - 1 else node.values_at
                node, place = node[str(step)], places[str(step)]
            elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node):
                node, place = node[step], node.items_at[step]
            elif isinstance(node, Table) and isinstance(step, int):
                continue  # a single mapping in place of a list
            else:
                break

        return place


def read_documents(
    file: str, raw: bytes, problems: Problems, largest: int = LARGEST_FILE
) -> list[Document]:
    """Read all documents of a file, and add what is wrong to `problems`.

    A file with a broken structure gives no documents. An ambiguous value or a duplicate key is read
    as it was probably meant, so that other problems are reported in the same run.
    """
    text = read_text(file, raw, problems, largest)
    # What a hidden character does to the structure is not worth reporting on top of it.
    return _parse(file, text, problems) if text is not None else []


def read_text(file: str, raw: bytes, problems: Problems, largest: int) -> str | None:
    """Decode a file and join each CRLF; None, and problems, if it has hidden characters."""
    if len(raw) > largest:
        problems.add(
            Place(file),
            Code.UNREADABLE,
            f"the file has {len(raw)} bytes",
            remedy=f"keep it under {largest} bytes",
        )
        return None

    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(file, raw[: error.start].decode("utf-8", "replace"), None)
        problems.add(
            place,
            Code.UNREADABLE,
            "the file is not UTF-8",
            text=raw[error.start : error.start + 4],
            remedy="save it as UTF-8",
        )
        return None

    before = len(problems)
    _check_characters(file, text, problems)
    return text.replace("\r\n", "\n") if len(problems) == before else None


def _check_characters(file: str, text: str, problems: Problems) -> None:
    if text.isascii() and text.replace("\n", "").replace("\r", "").isprintable():
        return

    before = len(problems)
    for index, character in enumerate(text):
        if len(problems) - before > MOST_PER_FILE:
            return

        if character == "\t":
            problems.add(
                _place(file, text, index),
                Code.TAB,
                "tab character",
                remedy='indent with spaces; inside a string write "\\t"',
            )
        elif character not in " \n\r" and unicodedata.category(character) in HIDDEN:
            name = unicodedata.name(character, "unnamed")
            remedy = f'remove it, or write it in double quotes as "\\u{ord(character):04x}"'
            shown = f"U+{ord(character):04X}"
            problems.add(
                _place(file, text, index),
                Code.INVISIBLE,
                f"invisible character {name}",
                text=shown,
                remedy=remedy,
            )


def _place(file: str, text: str, index: int | None) -> Place:
    before = text[:index]
    return Place(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _parse(file: str, text: str, problems: Problems) -> list[Document]:
    builder = _Builder(file, problems)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if not builder.take(event):
                break
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        place = Place(file, at.line + 1, at.column + 1) if at else Place(file)
        problems.add(
            place,
            Code.YAML,
            f"invalid YAML: {error.problem or error.context}",
            text=_line(text, place),
            remedy=_CHECK,
        )
        return []
    except yaml.YAMLError as error:
        problems.add(Place(file), Code.YAML, f"invalid YAML: {error}", remedy=_CHECK)
        return []

    return builder.documents if builder.is_sound else []


def _line(text: str, place: Place) -> str:
    lines = text.splitlines()
    return lines[place.line - 1].strip() if place.line <= len(lines) else ""


class _Builder:
    """Builds data from YAML events, without recursion: no nesting can overflow the stack."""

    def __init__(self, file: str, problems: Problems) -> None:
        self.documents: list[Document] = []
        self.is_sound = True
        self._file = file
        self._problems = problems
        self._open: list[tuple[Table | Sequence, str | None]] = []
        self._key: str | None = None

    def take(self, event: yaml.Event) -> bool:
        """Take one event; False if parsing cannot go on."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                return self._start(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                _, self._key = self._open.pop()
            case yaml.AliasEvent():
                self._refuse(
                    event,
                    Code.FORBIDDEN_YAML,
                    "aliases are not allowed",
                    text=f"*{event.anchor}",
                    remedy="write the value again",
                )
                self._put(None, self._place(event))

        return True

    def _start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> bool:
        self._refuse_anchor_and_tag(event)
        place = self._place(event)
        if len(self._open) >= _DEEPEST:
            self._refuse(
                event,
                Code.FORBIDDEN_YAML,
                f"nested deeper than {_DEEPEST} levels",
                remedy="flatten it",
            )
            return False

        if self._wants_key():
            self._refuse(
                event,
                Code.YAML,
                "a key must be a string",
                remedy="write a string before the colon",
            )
            return False

        node = Table(place) if isinstance(event, yaml.MappingStartEvent) else Sequence(place)
        self._put(node, place)
        self._open.append((node, None))
        self._key = None

        return True

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_anchor_and_tag(event)
        place = self._place(event)
        plain = not event.style and bool(event.implicit[0])
        if self._wants_key():
            self._take_key(event, place, plain=plain)
        else:
            self._put(self._resolve(event, plain=plain), place)

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1][0], Table) and self._key is None

    def _take_key(self, event: yaml.ScalarEvent, place: Place, *, plain: bool) -> None:
        table = self._open[-1][0]
        key = event.value
        if key == "<<" and plain:
            self._refuse(
                event,
                Code.FORBIDDEN_YAML,
                "merge keys are not allowed",
                text=key,
                remedy="write the keys out",
            )
        elif plain and (problem := _ambiguity_of(key)):
            self._refuse(
                event,
                Code.AMBIGUOUS,
                problem,
                text=key,
                remedy=f'write "{key}" in quotes if it is a name',
            )
        elif isinstance(table, Table) and key in table:
            first = table.keys_at[key]
            self._add_ambiguous(
                event,
                Code.DUPLICATE_KEY,
                f"the key is already on line {first.line}",
                text=key,
                remedy="keep one of them",
            )

        self._key = key
        if isinstance(table, Table):
            table.keys_at.setdefault(key, place)

    def _put(self, value: Any, place: Place) -> None:
        if not self._open:
            self.documents.append(Document(value, place))
            return

        node = self._open[-1][0]
        if isinstance(node, Sequence):
            node.append(value)
            node.items_at.append(place)
        elif self._key is not None:
            # The first of two equal keys counts; the second was reported.
            node.setdefault(self._key, value)
            node.values_at.setdefault(self._key, place)
            if not isinstance(value, Table | Sequence):
                self._key = None

    def _resolve(self, event: yaml.ScalarEvent, *, plain: bool) -> Any:
        text = event.value
        if not plain:
            return text
        if text in {"true", "false"}:
            return text == "true"
        if text in _NULLISH:
            return None
        if (_INTEGER.fullmatch(text) or _DECIMAL.fullmatch(text)) and len(text) <= _LONGEST_NUMBER:
            return float(text) if "." in text else int(text)

        if problem := _ambiguity_of(text):
            remedy = _REMEDIES[problem].format(text)
            report = self._add_ambiguous if text in _BOOLEANS else self._refuse
            report(event, Code.AMBIGUOUS, problem, text=text, remedy=remedy)

        return _BOOLEANS.get(text, text)

    def _refuse_anchor_and_tag(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            remedy = "write the value out where it is used"
            self._refuse(
                event,
                Code.FORBIDDEN_YAML,
                "anchors are not allowed",
                text=f"&{event.anchor}",
                remedy=remedy,
            )

        if (tag := getattr(event, "tag", None)) is not None:
            self._refuse(
                event,
                Code.FORBIDDEN_YAML,
                "tags are not allowed",
                text=tag,
                remedy="remove it; a string with ! needs quotes, and a condition says not",
            )

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1) if mark else Place(self._file)

    def _refuse(
        self, event: yaml.Event, code: Code, message: str, *, text: str = "", remedy: str = ""
    ) -> None:
        self._problems.add(self._place(event), code, message, text=text, remedy=remedy)
        self.is_sound = False

    def _add_ambiguous(
        self, event: yaml.Event, code: Code, message: str, *, text: str, remedy: str
    ) -> None:
        self._problems.add_ambiguous(self._place(event), code, message, text=text, remedy=remedy)


def _ambiguity_of(text: str) -> str | None:
    if not text:
        return _EMPTY
    if text in _BOOLEANS:
        return _BOOLEAN
    if text in _NULL_VARIANTS:
        return _NULL
    if _NUMBERISH.fullmatch(text):
        return _NUMBER

    return None


def as_plain_data(value: Any) -> Any:
    """Convert tables and sequences to ordinary dicts and lists, as the API's JSON would give."""
    if isinstance(value, dict):
        return {key: as_plain_data(child) for key, child in value.items()}
    return [as_plain_data(child) for child in value] if isinstance(value, list) else value
