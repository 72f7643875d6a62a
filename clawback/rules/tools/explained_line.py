"""One line of an explanation, for whoever shows it without the rule engine."""

from dataclasses import dataclass


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
