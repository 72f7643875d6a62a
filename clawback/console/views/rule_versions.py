"""How a rule differs from an earlier version of it, line by line."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clawback.console.views.mail_text import show_rule_text

_MOST_LINES = 400
_CONTEXT = 3
_KINDS = {"+": "added", "-": "removed"}


@dataclass(frozen=True)
class ChangedLine:
    """One line of a comparison; `kind` is empty for one that is in both versions."""

    mark: str
    kind: str
    text: str


@dataclass(frozen=True)
class VersionComparison:
    """An earlier version against the loaded one; `text` says what is known of it."""

    text: str
    lines: tuple[ChangedLine, ...] = ()


def compare_versions(
    version: str, earlier: Sequence[str] | None, loaded: str, source: Sequence[str]
) -> VersionComparison:
    """Compare the source of an earlier version, None if it is not known, with the loaded one."""
    version = show_rule_text(version, 80)
    if version == loaded:
        return VersionComparison(f"Version {version} is the one that is loaded.")
    if earlier is None:
        return VersionComparison(
            f"The source of version {version} is not known here: this console keeps versions since "
            f"it started. Loaded is {loaded}; the history of the folder of rules has the others."
        )
    lines = tuple(_diff(earlier, source))
    if not lines:
        return VersionComparison(
            f"Versions {version} and {loaded} have the same document: an exception, a list, or a "
            "rule that it refers to is different."
        )
    cut = f" The first {_MOST_LINES} lines are shown." if len(lines) > _MOST_LINES else ""
    text = f"From version {version} to {loaded}, which is loaded now.{cut}"
    return VersionComparison(text, lines[:_MOST_LINES])


def _diff(earlier: Sequence[str], source: Sequence[str]) -> Iterator[ChangedLine]:
    found = difflib.unified_diff(earlier, source, lineterm="", n=_CONTEXT)
    for number, line in enumerate(found):
        # The first two lines name files.
        if number > 1:
            kind = _KINDS.get(line[0], "")
            yield ChangedLine(line[0], kind, show_rule_text(line[1:]))
