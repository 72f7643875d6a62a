"""Looks fields up in the catalogue.

Which one was meant, whether a test fits its type, how its value becomes part of a group.
"""

from collections.abc import Mapping

from clawback.model.events import EventKind
from clawback.rules.engine.tree import Network, Number, Regex, SameAs, Test, Text, TimePart, Wild
from clawback.rules.source.catalogue import FIELDS, RENAMED, Field, FieldType
from clawback.rules.source.errors import nearest

_TEXTS = frozenset(
    {
        FieldType.STRING,
        FieldType.ADDRESS,
        FieldType.DOMAIN,
        FieldType.IP,
        FieldType.ENUM,
        FieldType.TIME,
    }
)


LONGEST_VALUE = 1024
"""Longer group values are cut.

No address, domain or hash is this long, and a plan must fit into a history.
"""


def find_field(kind: EventKind, name: str) -> Field | None:
    """Find the field of that name on that kind of event."""
    return FIELDS[kind].get(name)


def field_remedy(kind: EventKind, name: str) -> str:
    """Say what to write instead of a field that does not exist."""
    head, _, tail = name.rpartition("message.")
    for old, new in RENAMED.items():
        if tail == old or tail.startswith(f"{old}."):
            return f"the API calls it {head}{new}{tail[len(old) :] if '(' not in new else ''}"
    for joined in (f"message.{name}", f"detections.{name}"):
        if joined in FIELDS[kind]:
            return f"on this category it is {joined}"
    close = nearest(name, FIELDS[kind])
    return (
        f"did you mean {close!r}?"
        if close
        else f"a {kind} has {', '.join(field for field in FIELDS[kind] if '.' not in field)}"
    )


def misfit(field: Field, test: Test) -> str | None:
    """Say why a test makes no sense on a field; None where it does."""
    if isinstance(test, Text):
        return _text_misfit(field, test)
    types, needs = _NEEDS.get(type(test), (frozenset(FieldType), ""))
    return None if field.type in types else f"{field.name} is a {field.type}: {needs}"


_NEEDS: Mapping[type[Test], tuple[frozenset[FieldType], str]] = {
    Regex: (_TEXTS, "a regular expression needs a text field"),
    Number: (
        frozenset({FieldType.NUMBER}),
        "a number needs a number field; write a text in quotes",
    ),
    Network: (frozenset({FieldType.IP, FieldType.STRING}), "cidr needs an address field"),
    TimePart: (
        frozenset({FieldType.TIME}),
        "minute, hour, day, week, month and year need a time field",
    ),
    SameAs: (frozenset(FieldType) - {FieldType.OBJECT}, "name a field below it"),
}
_OBJECT = "{} is an object: only exists and null can be asked of it; name a field below it"


def _text_misfit(field: Field, text: Text) -> str | None:
    if field.type is FieldType.OBJECT:
        return _OBJECT.format(field.name)
    if field.type is FieldType.BOOLEAN and text.literal not in {"true", "false"}:
        return f"{field.name} is a boolean: it is true or false"
    if field.type is FieldType.NUMBER:
        return f"{field.name} is a number: write it without quotes, or use gt, gte, lt, lte"
    if field.type is FieldType.ENUM and not any(_could_be(text, value) for value in field.values):
        return f"{field.name} is never {text}: it is one of {', '.join(field.values)}"
    return None


def _could_be(text: Text, value: str) -> bool:
    """Whether a text with wildcards matches a value, case aside unless it says so.

    Values are short: plain recursion will do.
    """
    if not text.cased and text.literal is not None:
        return text.literal.casefold() == value.casefold()
    parts = (
        text.parts
        if text.cased
        else tuple(part.casefold() if isinstance(part, str) else part for part in text.parts)
    )
    return _matches(parts, value if text.cased else value.casefold())


def _matches(parts: tuple[str | Wild, ...], value: str) -> bool:
    if not parts:
        return not value
    head, rest = parts[0], parts[1:]
    if head is Wild.MANY:
        return any(_matches(rest, value[start:]) for start in range(len(value) + 1))
    if head is Wild.ONE:
        return bool(value) and _matches(rest, value[1:])
    return isinstance(head, str) and value.startswith(head) and _matches(rest, value[len(head) :])


def as_group_value(field: Field | None, value: object) -> str | None:
    """Make a field's value part of a group.

    Trimmed, addresses and domains in lower case; None where there is none.
    """
    if value is None or isinstance(value, list | dict):
        return None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text.strip()[:LONGEST_VALUE].encode("utf-8", "replace").decode("utf-8")
    if field is not None and field.type in {FieldType.ADDRESS, FieldType.DOMAIN}:
        text = text.lower()
    return text or None
