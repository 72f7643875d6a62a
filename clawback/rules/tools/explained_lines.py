"""Explanations of conditions as lines: one for each node, from the root down."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from clawback.model.texts import bounded
from clawback.rules.engine.explanation import Explanation, render_value
from clawback.rules.engine.field_values import enrichment_of
from clawback.rules.tools.explained_line import ExplainedLine

_LONGEST: Final = 100
_MOST: Final = 5


def tree_lines(explanations: Iterable[Explanation], depth: int = 0) -> Iterator[ExplainedLine]:
    """Yield the lines of trees, from the root down."""
    for one in explanations:
        asked = (
            f"{one.field} {one.label} {_values(one.expected)}".rstrip() if one.field else one.label
        )
        yield ExplainedLine(one.outcome, asked, _values_found(one), depth)
        yield from tree_lines(one.children, depth + 1)


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
