"""The context in which a detection is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clawback.model.events import EventKind
from clawback.rules.source.condition import Node
from clawback.rules.source.errors import Code, Place, Problems, Severity
from clawback.rules.source.suspicious_values import Surprise
from clawback.rules.source.yaml_reader import Document


@dataclass(slots=True)
class Reading:
    """The context of a detection: document, event kind, lists for `expand`, and what was found.

    Inside an element condition, `parent` is the field of objects that has the element.
    """

    document: Document
    kind: EventKind
    lists: Mapping[str, Sequence[str]]
    problems: Problems
    selections: dict[str, Node] = field(default_factory=dict)
    parent: str = ""
    warnings: Problems = field(default_factory=Problems)

    def full_name(self, name: str) -> str:
        """Give the name of a field as the catalogue has it."""
        return f"{self.parent}.{name}" if self.parent else name

    def refuse(
        self, place: Place, code: Code, message: str, *, text: object = "", remedy: str = ""
    ) -> None:
        """Add a problem of this document."""
        self.problems.add(place, code, message, text=text, remedy=remedy)

    def warn(self, place: Place, surprise: Surprise) -> None:
        """Add a warning of this document."""
        code, message, text, remedy = surprise
        self.warnings.add(place, code, message, text=text, remedy=remedy, severity=Severity.WARNING)
