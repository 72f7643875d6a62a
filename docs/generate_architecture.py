"""Generates the table of packages of docs/architecture.md from their docstrings."""

import ast
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


TABLES: Tables = {"packages": _packages}
