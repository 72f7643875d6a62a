"""The problems of a rule set.

    RuleErrors       all problems of a folder
      └ Problem      one of them: where it is, what is wrong, and what to write instead

Loading does not stop at the first problem.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from clawback.model.loggable import LoggableError
from clawback.model.texts import bounded

_LONGEST_TEXT = 80
MOST_PER_FILE = 100
"""Further problems of a file are counted but not kept: a file of tabs could have a million."""


class Code(StrEnum):
    """The kind of a problem; stable, for programs and for the index of errors in the docs."""

    UNREADABLE = "unreadable"
    NO_RULES = "no-rules"
    YAML = "yaml"
    FORBIDDEN_YAML = "forbidden-yaml"
    INVISIBLE = "invisible-character"
    TAB = "tab"
    AMBIGUOUS = "ambiguous-scalar"
    DUPLICATE_KEY = "duplicate-key"
    UNKNOWN_KEY = "unknown-key"
    MISSING_KEY = "missing-key"
    WRONG_VALUE = "wrong-value"
    DOCUMENT_KIND = "document-kind"
    DUPLICATE_NAME = "duplicate-name"
    DUPLICATE_ID = "duplicate-id"
    FILE_NAME = "file-name"
    UNKNOWN_FIELD = "unknown-field"
    FIELD_TYPE = "field-type"
    KEYWORD = "keyword"
    MODIFIER = "modifier"
    DETECTION = "detection"
    CONDITION = "condition"
    PLACEHOLDER = "placeholder"
    CORRELATION = "correlation"
    UNKNOWN_RULE = "unknown-rule"
    ACTION = "action"
    TEMPLATE = "template"
    GROUP = "group"
    MODE = "mode-above-status"
    NOT_ALLOWED = "status-not-allowed"
    HARD_DELETE = "hard-delete"
    WHILE_HELD = "while-held"
    MISSING_TEST = "missing-test"
    SAFETY = "safety"
    UNUSED = "unused-selection"
    UNREACHABLE = "unreachable"
    SHADOWED = "shadowed-rule"
    CONTRADICTORY = "contradictory-rules"
    EXPIRED = "expired-exception"
    FORGEABLE = "forgeable-pattern"
    SUSPICIOUS = "suspicious-value"
    UNKNOWN_VALUE = "unknown-value"
    NO_GROUP = "group-may-be-missing"
    NOT_SIGMA = "not-sigma"


class Severity(StrEnum):
    """Whether a problem must be fixed, or is only suspicious."""

    ERROR = "error"
    WARNING = "warning"


class Place(NamedTuple):
    """A place in a file; lines and columns count from 1, columns in characters."""

    file: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem: its place, the offending text, what is wrong, and what to write instead."""

    place: Place
    code: Code
    message: str
    text: str = ""
    remedy: str = ""
    severity: Severity = Severity.ERROR

    @property
    def refuses_the_set(self) -> bool:
        """Whether a worker refuses the rules because of it.

        A rule whose status is not allowed loads with a weaker mode instead: it stops no other.
        """
        return self.severity is Severity.ERROR and self.code is not Code.NOT_ALLOWED

    def __str__(self) -> str:
        text = f" {self.text!r}" if self.text else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        place = f"{self.place.file}:{self.place.line}:{self.place.column}"
        return f"{place}: {self.code}:{text} {self.message}{remedy}"


_MAX_LOGGED = 10


class RuleErrors(LoggableError, ValueError):
    """A rule set cannot be used; `problems` lists everything that is wrong, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def log_text(self) -> str:
        """The place and code of each problem, without texts from the rules: tests quote mail."""
        places = [
            f"{place.file}:{place.line}:{place.column} {problem.code}"
            for problem in self.problems[:_MAX_LOGGED]
            for place in [problem.place]
        ]
        more = len(self.problems) - len(places)
        return ", ".join(places) + (f" and {more} more" if more else "")


class Problems:
    """Collects the problems of one load. Its length includes those that are not kept."""

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._counts: Counter[str] = Counter()
        self._ambiguous: set[Place] = set()

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def __len__(self) -> int:
        return self._counts.total()

    def add(  # noqa: PLR0913
        self,
        place: Place,
        code: Code,
        message: str,
        *,
        text: object = "",
        remedy: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Add a problem; texts from the file are truncated.

        Further problems of an ambiguous value are dropped.
        """
        if place in self._ambiguous:
            return

        self._counts[place.file] += 1
        if (count := self._counts[place.file]) > MOST_PER_FILE:
            if count == MOST_PER_FILE + 1:
                self._found.append(
                    Problem(
                        place,
                        code,
                        "more problems follow; these are the first of this file",
                        remedy="fix them first",
                    )
                )

            return

        self._found.append(
            Problem(
                place,
                code,
                bounded(message),
                bounded(str(text), _LONGEST_TEXT),
                bounded(remedy, 600),
                severity,
            )
        )

    def add_ambiguous(
        self, place: Place, code: Code, message: str, *, text: str, remedy: str
    ) -> None:
        """Add a problem of a value that can be read in two ways.

        Further problems of the value are dropped: they may result from the reading chosen.
        """
        self.add(place, code, message, text=text, remedy=remedy)
        self._ambiguous.add(place)

    def raise_if_any(self) -> None:
        """Raise RuleErrors if there are any problems."""
        if self._found:
            raise RuleErrors(self._found)
