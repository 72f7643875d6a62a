"""Code that workflows run takes its time, randomness and surroundings from Temporal or its caller.

A worker runs workflows without a sandbox (ADR 8). The strict sandbox of the other tests watches the
files of `workflows` alone, and imports everything else as it is.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "workflows",
    *(f"clawback/{name}" for name in ("actions", "cases", "correlation", "guard", "model")),
)
FORBIDDEN = frozenset(
    {"os", "random", "secrets", "socket", "subprocess", "threading", "time", "httpx", "structlog"}
)
CLOCKS = frozenset({"now", "utcnow", "today", "uuid1", "uuid4", "random"})


def violations(source: str) -> Iterator[str]:
    """Find what a replay could see differently, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _import(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            yield from _import(node.module or "", node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if node.func.attr in CLOCKS and owner != "workflow":
                yield f"{node.lineno}: calls {owner}.{node.func.attr}"


def _import(module: str, line: int) -> Iterator[str]:
    if module.partition(".")[0] in FORBIDDEN:
        yield f"{line}: imports {module}"


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_in_a_workflow_reads_a_clock(room: str) -> None:
    """No clock, no randomness, no thread and no I/O in what a workflow runs."""
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    found = [
        f"{file.relative_to(ROOT)}:{one}"
        for file in files
        for one in violations(file.read_text(encoding="utf-8"))
    ]
    assert not found, "a replay would see something else; take it as an argument: " + str(found)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from random import choice",
        "import os.path",
        "datetime.now(UTC)",
        "date.today()",
        "uuid.uuid4()",
    ],
)
def test_what_a_replay_sees_differently_is_found(source: str) -> None:
    """Each kind of it."""
    assert list(violations(source))


def test_the_clock_of_temporal_is_allowed() -> None:
    """It gives the same time in every replay."""
    assert not list(violations("workflow.now(); workflow.uuid4()"))
