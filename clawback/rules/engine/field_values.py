"""Reads the values of a field from a record: JSON of unknown quality, so nothing here ever raises.

A list has the values of all its elements. Missing, null and an empty list are one null value.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from clawback.model.derived_fields import DERIVATIONS
from clawback.model.events import MESSAGE, Enrichment

Record = Mapping[str, Any]
Path = tuple[str, ...]
Reader = Callable[[Record], Sequence[Any]]
"""Gives all values of one field of a record."""

_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,30})(?:\.[0-9]{1,30})?")
# Python refuses to print integers of more than 4,300 digits; no rule needs one of 300.
_HUGE = 10**300
_ENRICHMENTS: Mapping[str, Enrichment] = {one.value: one for one in Enrichment}


def iterate_values(record: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Give every value at a path; lists fan out at every step."""
    pending: list[tuple[Any, int]] = [(record, 0)]
    while pending:
        node, depth = pending.pop()
        if isinstance(node, list):
            if not node:
                yield None
            # Reversed on the stack, so that values come in their order.
            pending.extend((item, depth) for item in reversed(node))
        elif depth == len(path):
            yield node
        elif isinstance(node, Mapping):
            pending.append((node.get(path[depth]), depth + 1))
        else:
            yield None


def read_values(node: Any, path: tuple[str, ...]) -> Sequence[Any]:
    """Give the same as `iterate_values` at once; faster for records of the usual shape."""
    for depth, name in enumerate(path):
        if node.__class__ is not dict:
            return _fan_out(node, path[depth:])
        node = node.get(name)
    return _fan_out(node, ()) if node.__class__ is list else (node,)


def _fan_out(node: Any, path: tuple[str, ...]) -> Sequence[Any]:
    if node.__class__ is not list or not node:
        return tuple(iterate_values(node, path))

    values: list[Any] = []
    for item in node:
        if item.__class__ is str and not path:
            values.append(item)
        elif item.__class__ is dict:
            values += read_values(item, path)
        else:
            values += iterate_values(item, path)

    return values


def has_value(node: Any, path: tuple[str, ...], check: Callable[[Any], bool]) -> bool:
    """Whether a check passes for any value at a path."""
    for value in read_values(node, path):  # noqa: SIM110 - a generator costs more than the loop
        if check(value):
            return True
    return False


# ---- derived fields


def is_derived(path: Path) -> bool:
    """Whether a field is derived from others, and so not in the record."""
    return path[-1] in DERIVATIONS


@cache
def reader_of(path: Path) -> Reader:
    """Give the function that reads a field, derived or not."""
    derivation = DERIVATIONS.get(path[-1])
    if derivation is None:
        return lambda record: read_values(record, path)

    derive, parent = derivation.derive, path[:-1]
    if not derivation.is_whole:
        source = (*parent, *derivation.sources)
        return _derived_reader(source, derive)

    return lambda record: [
        derive(one) if isinstance(one, Mapping) else None for one in read_values(record, parent)
    ]


def _derived_reader(source: Path, derive: Callable[[Any], Any]) -> Reader:
    name = source[0] if len(source) == 1 else ""

    def read(record: Record) -> Sequence[Any]:
        if (value := record.get(name)).__class__ is str:  # the usual case, without a list
            return (derive(value),)
        return [derive(value) for value in read_values(record, source)]

    return read


# ---- what is unknown


def enrichment_of(path: Path) -> Enrichment | None:
    """Give the enrichment that a field comes from; None for a field of the record itself."""
    path = known_by(path)
    root = path[1] if path[0] == MESSAGE and len(path) > 1 else path[0]
    return _ENRICHMENTS.get(root)


def known_by(path: Path) -> Path:
    """Give the field that must be known for this one to be: its source, if it is derived."""
    derivation = DERIVATIONS.get(path[-1])
    return path if derivation is None else (*path[:-1], *derivation.sources[0].split("."))


def is_unknown(record: Record, path: Path) -> bool:
    """Whether a field (for a derived one: what it is known by) waits for an enrichment."""
    if path[0] in _ENRICHMENTS:
        return path[0] not in record
    if path[0] == MESSAGE and len(path) > 1 and path[1] in _ENRICHMENTS:
        message = record.get(MESSAGE)
        return isinstance(message, Mapping) and path[1] not in message
    return False


def as_text(value: Any) -> str | None:
    """Convert a scalar to the string that rules compare: `true`, `5`, `0.5`.

    None for null, for objects, and for numbers that are too large to print.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))

    return str(value) if isinstance(value, int | float) and abs(value) < _HUGE else None


def as_number(value: Any) -> int | float | None:
    """Convert a scalar to a number; strings count if they are plain decimal numbers."""
    if isinstance(value, str):
        return (float(value) if "." in value else int(value)) if _DECIMAL.fullmatch(value) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
