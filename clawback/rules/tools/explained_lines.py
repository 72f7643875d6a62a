"""Explanations of conditions as lines: one for each node, from the root down."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from clawback.model.texts import bounded
from clawback.rules.engine.explanation import Explanation, render_value
from clawback.rules.engine.field_values import enrichment_of

_LONGEST: Final = 100
_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """One node: its answer, the question, its depth, and the values that were found."""

    outcome: bool | None
    asked: str
    found: str = ""
    depth: int = 0

    @property
    def indented(self) -> str:
        """The question, indented by its depth."""
        return "  " * self.depth + self.asked


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
