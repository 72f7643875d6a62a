"""Prints explanations of conditions: one aligned line per node, or JSON."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from clawback.model.normal_text import NORMAL_FORMS
from clawback.model.texts import bounded
from clawback.rules.engine.explanation import Explanation, render_value
from clawback.rules.engine.field_values import enrichment_of

_WORDS = {True: "true", False: "false", None: "not known"}
_STYLES = {True: "green", False: "red", None: "yellow"}
_WIDEST, _NARROWEST = 72, 24
_LONGEST = 100
_MOST = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One node: its answer, the indented question, and the values that were found."""

    outcome: bool | None
    asked: str
    found: str = ""


def tree_lines(explanations: Iterable[Explanation], depth: int = 0) -> Iterator[Line]:
    """Yield the lines of trees, from the root down."""
    for one in explanations:
        asked = (
            f"{one.field} {one.label} {_values(one.expected)}".rstrip() if one.field else one.label
        )
        yield Line(one.outcome, "  " * depth + asked, _values_found(one))
        yield from tree_lines(one.children, depth + 1)


def aligned(lines: Sequence[Line], indent: str = "") -> Iterator[Text]:
    """Align lines in columns: answer, question, values."""
    width = min(max((len(line.asked) for line in lines), default=0), _WIDEST)
    for line in lines:
        text = Text(indent)
        text.append(f"{_WORDS[line.outcome]:<9}  ", _STYLES[line.outcome])
        text.append(
            line.asked.ljust(max(width, _NARROWEST)) if line.found else line.asked,
            "bold" if not line.found else "",
        )
        text.append(
            f"  {line.found}" if line.found else "", "dim" if line.outcome is None else "cyan"
        )
        yield text


def show(lines: Iterable[Text]) -> None:
    """Print lines on stdout, coloured on a terminal."""
    console = Console(highlight=False, soft_wrap=True, file=sys.stdout)
    for line in lines:
        console.print(line)


def explanation_data(one: Explanation) -> dict[str, Any]:
    """Return a tree as JSON data; the outcome null means unknown."""
    data: dict[str, Any] = {"label": one.label, "outcome": one.outcome}
    if one.field is not None:
        data |= {
            "field": one.field,
            "expected": list(one.expected),
            "held": list(one.held),
            "actual": list(one.actual),
            "compared_as": [_compared(value, one) for value in one.actual],
        }

    return data | (
        {"children": [explanation_data(child) for child in one.children]} if one.children else {}
    )


def _compared(value: object, one: Explanation) -> object:
    return NORMAL_FORMS[value] if isinstance(value, str) and not one.sees_original else value


def _values_found(one: Explanation) -> str:
    if one.field is None:
        return ""
    if one.outcome is None and not one.actual:
        enrichment = enrichment_of(tuple(one.field.split(".")))
        return f"needs {enrichment.source}" if enrichment else ""

    actual = _values([render_value(value, one) for value in one.actual])
    which = f" ({_values(one.held)})" if one.held and len(one.expected) > 1 else ""
    return f"← {actual or 'nothing'}{which}"


def _values(values: Sequence[str]) -> str:
    shown = ", ".join(bounded(value, _LONGEST) for value in values[:_MOST])
    return shown + (f" and {len(values) - _MOST} more" if len(values) > _MOST else "")
