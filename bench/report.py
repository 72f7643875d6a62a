"""Formats figures: medians, ratios to clawback, a table, and a JSON document."""

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.contenders import Round

CLAWBACK = "clawback"
_MIB = 1 << 20
_Read = Callable[[Round], float | None]
COLUMNS: Mapping[str, tuple[str, _Read]] = {
    "seconds": ("time s", lambda one: one.seconds),
    "cpu_seconds": ("CPU s", lambda one: one.own.cpu),
    "peak_mib": ("peak MiB", lambda one: one.own.peak / _MIB),
    "requests": ("requests", lambda one: one.requests),
    "refused": ("of them 429", lambda one: one.refused),
    "actions": ("Temporal actions", lambda one: one.actions),
    "server_cpu_seconds": ("server CPU s", lambda one: one.server.cpu if one.server else None),
    "server_peak_mib": (
        "server peak MiB",
        lambda one: one.server.peak / _MIB if one.server else None,
    ),
}
"""The figures of a contender: its own processes' first, the Temporal server's apart."""
Results = Mapping[str, Sequence[Round]]


def medians(rounds: Sequence[Round]) -> dict[str, float | None]:
    """The median of each figure over the rounds; None where the contender has no such figure."""
    return {name: _median([read(one) for one in rounds]) for name, (_, read) in COLUMNS.items()}


def ratios(results: Results) -> dict[str, dict[str, float | None]]:
    """Each contender's medians as multiples of clawback's."""
    own = medians(results[CLAWBACK])
    return {
        name: {what: _ratio(value, own[what]) for what, value in medians(rounds).items()}
        for name, rounds in results.items()
    }


def table(results: Results) -> Table:
    """The medians, each with its ratio to clawback's."""
    shown = Table(title=None, box=None, pad_edge=False, header_style="bold")
    shown.add_column("")
    for heading, _ in COLUMNS.values():
        shown.add_column(heading, justify="right")
    for name, ratio in ratios(results).items():
        own = medians(results[name])
        shown.add_row(name, *(_cell(own[what], ratio[what]) for what in COLUMNS))
    return shown


def wide_console() -> Console:
    """A console that does not fold tables where nobody looks."""
    return Console(width=None if Console().is_terminal else 160, highlight=False)


def environment_info() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "system": platform.system(),
    }


def document(results: Results, about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        **environment_info(),
        **about,
        "medians": {name: medians(rounds) for name, rounds in results.items()},
        "ratios": ratios(results),
        "rounds": {name: [asdict(one) for one in rounds] for name, rounds in results.items()},
    }


def write_json(value: object, out: Path | None) -> None:
    """Write a document to a file, if one is wanted."""
    if out is not None:
        out.write_text(json.dumps(value, indent=2) + "\n")


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _ratio(value: float | None, own: float | None) -> float | None:
    return None if value is None or not own else round(value / own, 3)


def _cell(value: float | None, ratio: float | None) -> str:
    if value is None:
        return "-"
    number = f"{value:,.1f}" if value < 100 and value != int(value) else f"{value:,.0f}"
    return (
        number
        if ratio is None
        else f"{number} ({ratio:.2g})"
        if ratio < 10
        else f"{number} ({ratio:,.0f})"
    )
