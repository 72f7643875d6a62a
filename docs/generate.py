"""Writes the generated parts of every page under docs/, and rules/schema.json.

`python -m docs.generate` exits with 1 if a file was out of date, so that CI can use it as a check.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from clawback.rules.tools.schema import FILE_NAME, write_schema
from docs import generate_api, generate_architecture, generate_operations, generate_rules
from docs.examples import fill_errors, prepare_folder
from docs.tables import DOCS, Tables, fill_tables

TABLES: Tables = {
    **generate_architecture.TABLES,
    **generate_rules.TABLES,
    **generate_operations.TABLES,
    **generate_api.TABLES,
}
"""Every generated table by its name; a page may use any of them."""


def generate_pages() -> Iterator[tuple[Path, str]]:
    """Yield every page with its text as it should be: current tables, current error messages."""
    with TemporaryDirectory() as folder:
        prepare_folder(Path(folder))
        for page in sorted(DOCS.rglob("*.md")):
            text = fill_tables(page.read_text(encoding="utf-8"), TABLES)
            yield page, fill_errors(text, Path(folder))


def generate_files() -> Iterator[tuple[Path, str]]:
    """Yield every generated file with its text as it should be: the pages and the schema."""
    yield from generate_pages()
    yield DOCS.parent / "rules" / FILE_NAME, write_schema()


def main() -> int:
    """Rewrite the files that are out of date and print their names."""
    changed = []
    for file, text in generate_files():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            changed.append(str(file.relative_to(DOCS.parent)))
    if changed:
        print(f"updated: {', '.join(changed)}")  # noqa: T201 - a command
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main())
