"""A second reading of the tree, as simple as it can be.

It interprets, shares no code with the compiler, and is the oracle for it.
"""

import contextlib
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import idna
import re2

from clawback.model.mailboxes import canonical_mailbox
from clawback.rules.source.condition import (
    And,
    Comparison,
    Confusable,
    Element,
    Exists,
    ExpiredAfter,
    FieldReference,
    Leaf,
    Named,
    Network,
    Node,
    Not,
    Null,
    Number,
    Or,
    Regex,
    Test,
    Text,
    TimePart,
    Wildcard,
)
from clawback.rules.source.lookalike import Lookalike
from clawback.rules.source.unicode_regex import translate
from tests.rules.public_suffixes import registered
from tests.rules.reference_likeness import both_skeletons, imitates
from tests.rules.reference_regex import finds


def interpret(node: Node, record: Mapping[str, Any]) -> bool | None:
    """Answer a tree: true, false, or None for not known."""
    match node:
        case Leaf(field, tests):
            return _or([_test(field, test, record) for test in tests])
        case Named(_, child):
            return interpret(child, record)
        case Not(child):
            answer = interpret(child, record)
            return None if answer is None else not answer
        case Or(children):
            return _or([interpret(child, record) for child in children])
        case And(children):
            negated = _or(
                [
                    None if (one := interpret(child, record)) is None else not one
                    for child in children
                ]
            )
            return None if negated is None else not negated
        case Element(field, child, every):
            return _element(field, child, every=every, record=record)
        case ExpiredAfter():
            raise NotImplementedError


def _element(field: str, child: Node, *, every: bool, record: Mapping[str, Any]) -> bool | None:
    """Copy each element beside the event, so that references find both."""
    if any(_unknown(name, record) for name in [field, *_names(child, field)]):
        return None
    found = [one for one in _values_of(record, field) if one is not None]
    scopes = [{**(one if isinstance(one, dict) else {}), "@event": record} for one in found]
    answers = [interpret(child, scope) is True for scope in scopes]
    return all(answers) and answers != [] if every else any(answers)


def _names(node: Node, parent: str) -> list[str]:
    """The fields that a condition on an element asks for, by their full names."""
    match node:
        case Leaf(field, tests):
            others = [test.field for test in tests if isinstance(test, FieldReference)]
            return [
                name.removeprefix("@event.") if name.startswith("@event.") else f"{parent}.{name}"
                for name in [field, *others]
            ]
        case Named(_, child) | Not(child):
            return _names(child, parent)
        case Or(children) | And(children):
            return [name for child in children for name in _names(child, parent)]
        case _:
            return []


def _or(answers: list[bool | None]) -> bool | None:
    if any(answer is True for answer in answers):
        return True
    return None if None in answers else False


def _unknown(field: str, record: Mapping[str, Any]) -> bool:
    if field.startswith("history"):
        return "history" not in record
    is_enriched = field.startswith("detections") or field in {"link_count", "attachment_count"}
    return is_enriched and "detections" not in record


def values(node: Any, steps: list[str]) -> list[Any]:
    """All values of a field; a missing one and an empty list are one None."""
    if isinstance(node, list):
        return [found for item in node for found in values(item, steps)] or [None]
    if not steps:
        return [node]
    return values(node.get(steps[0]), steps[1:]) if isinstance(node, dict) else [None]


def _values_of(record: Mapping[str, Any], field: str) -> list[Any]:
    """All values of a field of the API or of a derived one."""
    *parent, name = field.split(".")
    if parent[:1] == ["@event"]:
        return _values_of(record["@event"], field.partition(".")[2])
    if name in _DOMAINS:
        source, domain = _DOMAINS[name]
        return [
            domain(value) if isinstance(value, str) else None
            for value in values(dict(record), [*parent, source])
        ]
    return [_WHOLE[field](record)] if field in _WHOLE else values(dict(record), field.split("."))


def _address_domain(address: str) -> str | None:
    host = address.strip().split("@")[-1].lower()
    return registered(host) if "@" in address and host else None


def _link_domain(href: str) -> str | None:
    host = href.partition("://")[2].partition("/")[0].rpartition("@")[2]
    return registered(host.lower()) if host else None


_DOMAINS = {
    "from_domain": ("from", _address_domain),
    "replyto_domain": ("replyto", _address_domain),
    "envelope_domain": ("envelope_from", _address_domain),
    "from_mailbox": ("from", lambda address: canonical_mailbox(address) or None),
    "href_domain": ("href", _link_domain),
}


def _count(record: Mapping[str, Any], name: str) -> int | None:
    if not isinstance(record["detections"], dict):
        return None
    found = record["detections"].get(name)
    return len(found) if isinstance(found, list) else int(found is not None)


def _recipients(record: Mapping[str, Any]) -> int | None:
    lists = [record[name] for name in ("to", "envelope_to", "client_recipients") if name in record]
    found = [values(one, []) for one in lists if one is not None]
    texts = [one.strip().lower() for some in found for one in some if isinstance(one, str)]
    return len(set(texts) - {""}) if found else None


def _delay(record: Mapping[str, Any]) -> int | None:
    moments = []
    for value in (record.get("scanned_at"), record.get("sent_at")):
        try:
            found = datetime.fromisoformat(value)  # type: ignore[arg-type] # that raises
        except (TypeError, ValueError):
            return None
        moments.append(found if found.tzinfo else found.replace(tzinfo=UTC))
    return int((moments[0] - moments[1]).total_seconds())


_WHOLE: dict[str, Callable[[Mapping[str, Any]], int | None]] = {
    "link_count": lambda record: _count(record, "links"),
    "attachment_count": lambda record: _count(record, "attachments"),
    "recipient_count": _recipients,
    "sent_delay": _delay,
}


def _test(field: str, test: Test, record: Mapping[str, Any]) -> bool | None:
    asked = [field, test.field] if isinstance(test, FieldReference) else [field]
    if any(_unknown(name, record) for name in asked):
        return None
    found = _values_of(record, field)
    if isinstance(test, FieldReference):
        others = [
            text for value in _values_of(record, test.field) if (text := _text(value)) is not None
        ]
        texts = [text for value in found if (text := _text(value)) is not None]
        return any(
            _related(test, _normal(text), _normal(other)) for text in texts for other in others
        )
    return any(_holds(test, value) for value in found)


def _related(test: FieldReference, text: str, other: str) -> bool:
    if test.starts and test.ends:
        return other in text
    if test.starts:
        return text[: len(other)] == other
    return (
        text[len(text) - len(other) :] == other and len(other) <= len(text)
        if test.ends
        else text == other
    )


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) and not -(10**300) < value < 10**300:
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return str(value) if isinstance(value, str | int) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if (
        isinstance(value, str)
        and value.isascii()
        and value.lstrip("+-").replace(".", "", 1).isdigit()
        and value[-1] != "."
        and value[0] != "."
    ):
        return float(value)
    return None


def _holds(test: Test, value: Any) -> bool:
    if isinstance(test, Null | Exists):
        return (value is None) is isinstance(test, Null)
    if isinstance(test, Confusable):
        text = _text(value)
        return text is not None and _looks_like(test.text, text)
    if isinstance(test, Lookalike):
        return isinstance(value, str) and imitates(value, test.domains)
    if isinstance(test, Text | Regex):
        text = _text(value)
        return text is not None and _reads(test, text)
    if isinstance(test, Number):
        number = _number(value)
        return number is not None and _compare(test.comparison, number, test.number)
    return isinstance(value, str) and (
        _within(test.cidr, value) if isinstance(test, Network) else _is_at(test, value)
    )


def _reads(test: Text | Regex, text: str) -> bool:
    if isinstance(test, Regex):
        expression = (f"(?{test.flags})" if test.flags else "") + test.pattern
        if text.isascii():
            return re2.search(expression, text) is not None
        answer = finds(expression, text)
        # Where the oracle does not know, the translation is taken for right.
        return answer or (
            answer is None and re2.search(translate(expression).pattern, text) is not None
        )
    if test.cased:
        return _glob(list(test.parts), text)
    parts = [part if isinstance(part, Wildcard) else _normal(part) for part in test.parts]
    if _glob(parts, _normal(text)):
        return True
    is_foreign = any(isinstance(part, str) and max(part, default="") > "~" for part in parts)
    return is_foreign and _glob(parts, _normal(_shown(text)))


def _looks_like(wanted: Text, text: str) -> bool:
    for number, skeleton in enumerate(both_skeletons(text)):
        parts = [
            part if isinstance(part, Wildcard) else both_skeletons(part)[number]
            for part in wanted.parts
        ]
        if _glob(parts, skeleton):
            return True
    return False


def _within(cidr: str, value: str) -> bool:
    text = value.strip().split("%")[0]
    if text.startswith("["):
        text = text[1:].split("]")[0]
    elif text.count(":") == 1:
        text = text.split(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        nat64 = int(address) >> 32 == 0x64FF9B << 64
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if nat64 else None
        return (address.ipv4_mapped or address.sixtofour or inner or address) in (
            ipaddress.ip_network(cidr)
        )
    return address in ipaddress.ip_network(cidr)


def _is_at(test: Test, value: str) -> bool:
    if not isinstance(test, TimePart) or not (
        value[:1].isdigit() and "T" in value and ":" in value
    ):
        return False
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        return False
    return bool(
        (moment.isocalendar()[1] if test.unit == "week" else getattr(moment, test.unit))
        == test.number
    )


_HIDDEN = {
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),
    *range(0xFFF0, 0xFFFC),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE1000),
}


def _normal(text: str) -> str:
    """NFKC_Casefold by its definition, until nothing changes; then the blanks."""
    text = "".join(char for char in text if ord(char) not in _HIDDEN)
    while (folded := unicodedata.normalize("NFKC", text.casefold())) != text:
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", folded).casefold())
    out = ""
    for char in text:
        is_blank = char.isspace() or char == "\u2800"
        out += char if not is_blank else "" if out.endswith(" ") else " "
    return out


def _shown(text: str) -> str:
    """A text with its A-labels decoded where they are well-formed."""
    found = re.split(r"(?<![A-Za-z0-9-])([xX][nN]--[A-Za-z0-9-]{1,59})(?![A-Za-z0-9@-])", text)
    for at in range(1, len(found), 2):
        with contextlib.suppress(UnicodeError, idna.IDNAError):
            label = found[at][4:].lower().encode().decode("punycode")
            is_same = label.encode("punycode") == found[at][4:].lower().encode()
            if (
                is_same
                and not label.isascii()
                and idna.uts46_remap(label, std3_rules=False) == label
            ):
                found[at] = label
    return "".join(found)


def _glob(parts: list[str | Wildcard], text: str) -> bool:
    if not parts:
        return text == ""
    first, rest = parts[0], parts[1:]
    if first is Wildcard.MANY:
        return any(_glob(rest, text[start:]) for start in range(len(text) + 1))
    if first is Wildcard.ONE:
        return len(text) > 0 and _glob(rest, text[1:])
    return text[: len(first)] == first and _glob(rest, text[len(first) :])


def _compare(comparison: Comparison, number: float, wanted: float) -> bool:
    return {
        Comparison.EQ: number == wanted,
        Comparison.LT: number < wanted,
        Comparison.LTE: number <= wanted,
        Comparison.GT: number > wanted,
        Comparison.GTE: number >= wanted,
    }[comparison]
