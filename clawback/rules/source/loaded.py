"""The documents of a folder, read one by one, before the whole set is compiled. Data only."""

from dataclasses import dataclass, field
from pathlib import Path

from clawback.model.events import EventKind
from clawback.rules.source.condition import Node
from clawback.rules.source.correlations import Correlation
from clawback.rules.source.documents import (
    CorrelationDocument,
    FilterDocument,
    RuleDocument,
    Status,
)
from clawback.rules.source.errors import Problems
from clawback.rules.source.responses import Response
from clawback.rules.source.safety import Safety
from clawback.rules.source.yaml_reader import Document


@dataclass(slots=True)
class LoadedRule:
    """One rule or correlation, as far as it could be read."""

    read: RuleDocument | CorrelationDocument
    document: Document
    tree: Node | None = None
    selections: tuple[str, ...] = ()
    correlation: Correlation | None = None
    response: Response | None = None

    @property
    def status(self) -> Status:
        """Its status; experimental by default, for building blocks."""
        return self.read.status or Status.EXPERIMENTAL

    @property
    def kind(self) -> EventKind | None:
        """The kind of event of a rule; None for a correlation."""
        return self.read.logsource.category if isinstance(self.read, RuleDocument) else None


@dataclass(slots=True)
class LoadedFilter:
    """One exception."""

    read: FilterDocument
    document: Document
    tree: Node
    rules: tuple[str, ...]


@dataclass(slots=True)
class Loaded:
    """Everything that could be read of a folder, and the problems."""

    problems: Problems
    folder: Path = Path()
    warnings: Problems = field(default_factory=Problems)
    safety: Safety = field(default_factory=Safety)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    people: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rules: list[LoadedRule] = field(default_factory=list)
    filters: list[LoadedFilter] = field(default_factory=list)
