"""The table of `clawback case list --watching`: what correlations are counting."""

from collections.abc import Sequence
from datetime import datetime

from clawback.cli.case.table import format_age
from clawback.correlation.payloads import CountedWindow
from clawback.model.texts import bounded, printable

WINDOW_COLUMNS = ("rule", "seen", "wanted", "oldest", "group")
WINDOWS_DROP_FIRST = ("oldest",)
_LONGEST_GROUP = 80


def window_rows(windows: Sequence[CountedWindow], now: datetime) -> list[tuple[str, ...]]:
    """Return the rows of a table of windows, in the order of `WINDOW_COLUMNS`."""
    return [_row(window, now) for window in windows]


def _row(window: CountedWindow, now: datetime) -> tuple[str, ...]:
    values = [f"{name}={value or '-'}" for name, value in window.group.items()]
    group = printable(bounded(", ".join(values), _LONGEST_GROUP)) or "all events together"
    age = format_age((now - window.oldest).total_seconds())
    return (window.rule, str(window.seen), str(window.wanted), age, group)
