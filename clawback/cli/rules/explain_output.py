"""Prints explanations of conditions: one aligned line per node, or JSON."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from clawback.model.normal_text import NORMAL_FORMS
from clawback.rules.engine.explanation import Explanation
from clawback.rules.tools.explained_line import ExplainedLine

_WORDS = {True: "true", False: "false", None: "not known"}
_STYLES = {True: "green", False: "red", None: "yellow"}
_WIDEST, _NARROWEST = 72, 24


def aligned(lines: Sequence[ExplainedLine], indent: str = "") -> Iterator[Text]:
    """Align lines in columns: answer, question, values."""
    width = min(max((len(line.indented) for line in lines), default=0), _WIDEST)
    for line in lines:
        text = Text(indent)
        text.append(f"{_WORDS[line.outcome]:<9}  ", _STYLES[line.outcome])
        text.append(
            line.indented.ljust(max(width, _NARROWEST)) if line.found else line.indented,
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
