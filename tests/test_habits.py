"""Habits of CONTRIBUTING that no linter checks."""

import importlib
import inspect
import pkgutil
import socket
from collections.abc import Iterator

import pytest

import clawback
from tests.conftest import NotLoopback

PACKAGES = [
    "clawback",
    *(one.name for one in pkgutil.walk_packages(clawback.__path__, "clawback.") if one.ispkg),
]


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
