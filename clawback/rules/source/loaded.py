"""What has been read of a folder before the whole set is known.

Documents with what was understood of them. Data only.
"""

from dataclasses import dataclass, field

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
    """One rule document that could be read, before the whole set is known."""

    read: RuleDocument | CorrelationDocument
    document: Document
    tree: Node | None = None
    selections: tuple[str, ...] = ()
    correlation: Correlation | None = None
    response: Response | None = None

    @property
    def status(self) -> Status:
        """Its status; a document without one (a building block, a correlation) is stable."""
        return self.read.status or Status.STABLE

    @property
    def kind(self) -> EventKind | None:
        """The kind of event a plain rule is for."""
        return self.read.logsource.category if isinstance(self.read, RuleDocument) else None


@dataclass(slots=True)
class LoadedFilter:
    """One exception that could be read."""

    read: FilterDocument
    document: Document
    tree: Node
    rules: tuple[str, ...]


@dataclass(slots=True)
class Loaded:
    """Everything of a folder that could be read, and what could not."""

    problems: Problems
    safety: Safety = field(default_factory=Safety)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rules: list[LoadedRule] = field(default_factory=list)
    filters: list[LoadedFilter] = field(default_factory=list)
