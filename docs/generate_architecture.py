"""Generates the packages of docs/architecture.md from their docstrings and import contracts."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from docs.tables import DOCS, Tables, first_paragraph, table_cell, table_head, table_row

ROOT = DOCS.parent


def packages() -> list[Path]:
    """List the packages of the product, without packages inside packages."""
    outer = (ROOT / name for name in ("workflows", "activities"))
    inner = sorted(path.parent for path in (ROOT / "clawback").glob("*/__init__.py"))
    return [*outer, *inner]


def _packages() -> Iterator[str]:
    yield from table_head("Package", "Purpose")
    for package in packages():
        tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
        purpose = first_paragraph(ast.get_docstring(tree))
        name = package.relative_to(ROOT).as_posix()
        yield table_row(f"`{name}/`", table_cell(purpose))


def _layers() -> Iterator[str]:
    """Write the layers of import-linter, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (
        contract["layers"]
        for contract in contracts
        if contract["type"] == "layers" and "containers" not in contract
    )

    yield "```text"
    yield "worker"
    for layer in layers:
        names = (name.removeprefix("clawback.") for name in re.split(r" [|:] ", layer))
        yield " · ".join(names)
    yield "```"


TABLES: Tables = {"packages": _packages, "layers": _layers}
