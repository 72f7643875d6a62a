"""docs/threat-model.md: every row names tests, and each of them exists."""

import ast
import re
from functools import cache

import pytest

from docs.tables import DOCS

ROOT = DOCS.parent
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_ROW = re.compile(r"^\| (?!---)(?!Attempt )(?!What happens )(.+) \|$", re.MULTILINE)
ROWS = [row.split(" | ") for row in _ROW.findall((DOCS / "threat-model.md").read_text("utf-8"))]


@cache
def _names_in(path: str) -> frozenset[str]:
    """The names of the test functions of a file; none if there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_there_are_rows() -> None:
    """The pattern finds the tables."""
    assert len(ROWS) > 30


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_what_holds_is_shown_by_tests_that_exist(row: list[str]) -> None:
    """Three cells: what is tried, what holds, and at least one test."""
    _, holds, shown = row
    tests = _TEST.findall(shown)
    assert holds.strip()
    assert tests
    assert [name for path, name in tests if name not in _names_in(path)] == []
