"""Habits of CONTRIBUTING that no linter checks."""

import ast
import importlib
import inspect
import pkgutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import clawback
from clawback.telemetry.privacy import API_ID_FIELDS, IDENTIFIER_FIELDS
from tests.conftest import NotLoopback

PACKAGES = [
    "clawback",
    *(one.name for one in pkgutil.walk_packages(clawback.__path__, "clawback.") if one.ispkg),
]


LOGGED = frozenset({"info", "warning", "error", "critical"})
SOURCES = [
    *(Path(__file__).parents[1] / folder for folder in ("clawback", "activities", "workflows")),
    Path(__file__).parents[1] / "worker.py",
]


def calls_of_log() -> Iterator[tuple[str, ast.Call]]:
    """The calls of `log.…` above debug, with their place."""
    for source in SOURCES:
        for path in sorted(source.rglob("*.py")) if source.is_dir() else [source]:
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if (
                        level in LOGGED
                    ):
                        yield f"{path.name}:{node.lineno}", node


def is_text(value: ast.expr) -> bool:
    """Whether a field of a log event is surely a plain text."""
    match value:
        case ast.Attribute(attr="value" | "__name__") | ast.JoinedStr():
            return True
        case ast.Call(func=ast.Name(id="str")):
            return True
    return False


def exported(package: str) -> Iterator[tuple[str, object]]:
    """The classes and functions in `__all__` of a package."""
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            yield f"{package}.{name}", value


def has_docstring(name: str, value: object) -> bool:
    """Whether somebody wrote one: a dataclass without one gets its signature."""
    text = value.__doc__ or ""
    return bool(text) and not text.startswith(f"{name.rpartition('.')[2]}(")


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_exports_has_a_docstring(package: str) -> None:
    """Ruff's D1 rules cannot tell a public name of a package from a helper; this test can."""
    assert [name for name, value in exported(package) if not has_docstring(name, value)] == []


def test_a_test_cannot_reach_another_machine() -> None:
    """A connection to an address that is not loopback is refused before a packet leaves."""
    with socket.socket() as probe, pytest.raises(NotLoopback):
        probe.connect(("192.0.2.1", 443))


def test_no_log_event_has_a_field_that_telemetry_withholds() -> None:
    """A plain text is shown in the fields for identifiers only: log the member or error itself."""
    shown = IDENTIFIER_FIELDS | API_ID_FIELDS
    assert [
        f"{place}: {field.arg}"
        for place, call in calls_of_log()
        for field in call.keywords
        if field.arg not in shown and is_text(field.value)
    ] == []
