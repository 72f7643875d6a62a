"""Reads the lists of values that rules name as `%name%`: YAML, plain text or CSV.

Plain text has one value a line; empty lines and lines that begin with `#` do not count. The first
line of a CSV file names its columns, one of them `value`.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from clawback.rules.source.documents import ListDocument, PeopleDocument, read_model
from clawback.rules.source.errors import Code, Place, Problems
from clawback.rules.source.rule_files import RULE_SUFFIXES, read_file_documents, read_file_text

MOST_VALUES = 100_000
LARGEST_LIST = 8 << 20
_LONGEST_VALUE = 2000
_COLUMN = "value"

Values = Iterator[tuple[int, str]]
"""Lines and what is written there."""


class ReadList(NamedTuple):
    """The values of a list; of a list of people, these are the names of `people`."""

    values: tuple[str, ...]
    people: Mapping[str, tuple[str, ...]]


def read_list(folder: Path, path: Path, problems: Problems) -> ReadList:
    """Read a list; an empty one, and problems, if it has any."""
    before = len(problems)
    people: Mapping[str, tuple[str, ...]] = {}
    if path.suffix.lower() in RULE_SUFFIXES:
        values, people = _read_yaml(folder, path, problems)
    else:
        values = _read_text(folder, path, problems)

    if len(values) > MOST_VALUES:
        problems.add(
            Place(path.as_posix()),
            Code.WRONG_VALUE,
            f"the list has {len(values):,} values",
            remedy=f"keep lists under {MOST_VALUES:,} values",
        )
    return ReadList(values, people) if len(problems) == before else ReadList((), {})


def _read_yaml(folder: Path, path: Path, problems: Problems) -> ReadList:
    documents = read_file_documents(folder, path, problems, largest=LARGEST_LIST)
    if documents and isinstance(documents[0].data, dict) and "people" in documents[0].data:
        found = read_model(PeopleDocument, documents[0], problems)
        return ReadList(tuple(found.people), found.people) if found else ReadList((), {})

    read = read_model(ListDocument, documents[0], problems) if documents else None
    return ReadList(read.values if read is not None else (), {})


def _read_text(folder: Path, path: Path, problems: Problems) -> tuple[str, ...]:
    file, before = path.as_posix(), len(problems)
    text = read_file_text(folder, path, problems, largest=LARGEST_LIST)
    if text is None:
        return ()

    is_table = path.suffix.lower() == ".csv"
    found = tuple(_cells(file, text, problems) if is_table else _lines(text))
    for line, value in found:
        if len(value) > _LONGEST_VALUE:
            problems.add(
                Place(file, line),
                Code.WRONG_VALUE,
                f"the value is longer than {_LONGEST_VALUE} characters",
                text=value,
                remedy="shorten it",
            )

    if not found and len(problems) == before:
        problems.add(Place(file), Code.WRONG_VALUE, "the list is empty", remedy="add a value")
    return tuple(value for _, value in found)


def _lines(text: str) -> Values:
    for number, line in enumerate(text.split("\n"), 1):
        value = line.strip()
        if value and not value.startswith("#"):
            yield number, value


def _cells(file: str, text: str, problems: Problems) -> Values:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip().casefold() for name in next(rows, [])]
        if _COLUMN not in names:
            problems.add(
                Place(file),
                Code.WRONG_VALUE,
                "the first line names no column `value`",
                text=", ".join(names),
                remedy="name the columns in the first line, or use a .txt file",
            )
            return

        column = names.index(_COLUMN)
        for row in rows:
            if value := row[column].strip() if len(row) > column else "":
                yield rows.line_num, value
    except csv.Error as error:
        problems.add(
            Place(file, rows.line_num),
            Code.WRONG_VALUE,
            f"invalid CSV: {error}",
            remedy="check the quotes",
        )
