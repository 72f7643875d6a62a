"""What an event costs end to end: a JSON line in, the rules that match out.

Every contender decodes the same lines, a page of 1,000 at a time, with orjson. Matches are compared
first: a contender that finds others is left out, with the first difference. CPU time; the
contenders take turns in one process.
"""

import importlib
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median
from time import process_time
from typing import Annotated, Any

import orjson
import re2
import typer
from rich.table import Table

from bench import rulebook
from bench.evaluators import load
from bench.report import environment_info, wide_console, write_json
from bench.rules import CORPUS, read_records
from bench.rulesets import Condition, Record, compiled_lambdas, make_conditions, rule_document
from clawback.cloudflare import Message
from clawback.cloudflare.api_response import decode_json
from clawback.model.events import message_event

Matches = list[list[int]]
"""The numbers of the rules that match, for each event of a page."""
Contender = Callable[[Sequence[bytes]], Matches]
_PAGE = 1_000
_SEEN = datetime(2026, 11, 28, tzinfo=UTC)
_MICRO = 1e6


def clawback(conditions: Sequence[Condition]) -> Contender:
    """The path of a worker, from the bytes of a response to matches."""
    rules = load(conditions)
    rules.prepare()
    numbers = {name: number for number, name in enumerate(sorted(rules.rules))}

    def run(page: Sequence[bytes]) -> Matches:
        found = []
        for line in page:
            event = message_event(Message.parse(decode_json(line)).record, _SEEN)
            matches = rules.evaluate(event).matches
            found.append(sorted(numbers[match.rule] for match in matches) if matches else [])
        return found

    return run


def lambdas(conditions: Sequence[Condition]) -> Contender:
    """A loop over lambdas written by hand."""
    compiled = compiled_lambdas(conditions)

    def run(page: Sequence[bytes]) -> Matches:
        records = map(orjson.loads, page)
        return [
            [number for number, holds in enumerate(compiled) if holds(record)] for record in records
        ]

    return run


# ---- databases, with the SQL of pySigma's backend


def sqlite(conditions: Sequence[Condition]) -> Contender:
    """A table in memory for each page, and one query for all rules."""
    import sqlite3  # noqa: PLC0415 - beside its only user

    connection = sqlite3.connect(":memory:")
    connection.create_function(
        "regexp", 2, lambda pattern, text: bool(text and _search(pattern, text)), deterministic=True
    )
    clauses = convert(conditions)
    columns = columns_of(clauses)
    names = ", ".join(f"`{name}` COLLATE NOCASE" for name in columns)
    connection.execute(f"CREATE TABLE logs (row INTEGER, {names})")
    insert = f"INSERT INTO logs VALUES (?{', ?' * len(columns)})"  # noqa: S608 - our own names
    query = _one_query(clauses)

    def run(page: Sequence[bytes]) -> Matches:
        connection.execute("DELETE FROM logs")
        connection.executemany(
            insert, ((row, *_row(orjson.loads(line), columns)) for row, line in enumerate(page))
        )
        return _by_row(connection.execute(query), len(page))

    return run


def duckdb(conditions: Sequence[Condition]) -> Contender:
    """The same in DuckDB; the SQL of the SQLite backend in DuckDB's dialect."""
    import duckdb as module  # noqa: PLC0415 - an extra

    connection = module.connect(":memory:")
    connection.execute("SET threads = 1")
    clauses = convert(conditions)
    columns = columns_of(clauses)
    types = ", ".join(
        f'"{name}" {"DOUBLE" if name.endswith("score") else "VARCHAR"}' for name in columns
    )
    connection.execute(f"CREATE TABLE logs (row INTEGER, {types})")
    values = ", ".join("unnest(?)" for _ in range(len(columns) + 1))
    insert = f"INSERT INTO logs SELECT {values}"
    query = _one_query([_in_duckdb(clause) for clause in clauses])

    def run(page: Sequence[bytes]) -> Matches:
        connection.execute("DELETE FROM logs")
        rows = [_row(orjson.loads(line), columns) for line in page]
        connection.execute(insert, [list(range(len(page))), *map(list, zip(*rows, strict=True))])
        return _by_row(connection.execute(query).fetchall(), len(page))

    return run


def convert(conditions: Sequence[Condition]) -> list[str]:
    """Convert each condition to the WHERE clause that pySigma's SQLite backend writes."""
    from sigma.collection import SigmaCollection  # noqa: PLC0415 - needed here only

    backend: Any = importlib.import_module("sigma.backends.sqlite").sqliteBackend()
    return [
        backend.convert(SigmaCollection.from_yaml(rule_document(one, number)))[0].split(
            " WHERE ", 1
        )[1]
        for number, one in enumerate(conditions)
    ]


def columns_of(clauses: Sequence[str]) -> list[str]:
    """Name the fields that the clauses use."""
    bare = [_QUOTED_TEXT.sub("''", clause) for clause in clauses]
    words = chain.from_iterable(_WORD.findall(clause) for clause in bare)
    return sorted({quoted or plain for quoted, plain in words})


_QUOTED_TEXT = re.compile(r"'(?:[^']|'')*'")
_WORD = re.compile(r"`([^`]+)`|\b([a-z_]+)\b")


def _one_query(clauses: Sequence[str]) -> str:
    return " UNION ALL ".join(
        f"SELECT {number}, row FROM logs WHERE {clause}"  # noqa: S608 - a benchmark
        for number, clause in enumerate(clauses)
    )


def _by_row(found: Any, rows: int) -> Matches:
    matches: Matches = [[] for _ in range(rows)]
    for number, row in found:
        matches[row].append(number)
    return [sorted(one) for one in matches]


def _row(record: Record, columns: Sequence[str]) -> list[Any]:
    return [_column(record, name.split(".")) for name in columns]


def _column(node: Any, path: Sequence[str]) -> Any:
    """Give the text of a field; of a list the largest number, or all its texts."""
    for name in path:
        if isinstance(node, list):
            node = [item.get(name) for item in node if isinstance(item, dict)]
        else:
            node = node.get(name) if isinstance(node, dict) else None
    if isinstance(node, list):
        numbers = [item for item in node if isinstance(item, int | float)]
        return max(numbers) if numbers else "\n".join(map(str, node)) or None
    return str(node).lower() if isinstance(node, bool) else node


def _in_duckdb(clause: str) -> str:
    quoted = _REGEXP.sub(r"regexp_matches(\1, \2)", clause.replace("`", '"'))
    no_numbers = _IS_ONE.sub("false", quoted)
    return _EQUALS.sub(r"lower(\1) = lower(\2)", no_numbers.replace(" LIKE ", " ILIKE "))


_REGEXP = re.compile(r"(\S+) REGEXP ('(?:[^']|'')*')")
_IS_ONE = re.compile(r"\b[a-z_]+=1\b")
_EQUALS = re.compile(r'("[^"]+"|\b[a-z_]+)=(\'(?:[^\']|\'\')*\')')


def _search(pattern: str, text: str) -> bool:
    return re2.search(pattern, text) is not None


# ---- the benchmark

CONTENDERS: Mapping[str, tuple[Callable[[Sequence[Condition]], Contender], Sequence[str]]] = {
    "clawback": (clawback, ()),
    "lambdas": (lambdas, ()),
    "SQLite": (sqlite, ("sigma.backends.sqlite",)),
    "DuckDB": (duckdb, ("sigma.backends.sqlite", "duckdb")),
    rulebook.NAME: (rulebook.build, ("drools",)),
}
"""How each is built, and the modules that it needs: of the `bench` extra, except for the last."""


def build(conditions: Sequence[Condition]) -> tuple[dict[str, Contender], dict[str, str]]:
    """Build all contenders, and say why any is missing."""
    built, missing = dict[str, Contender](), dict[str, str]()
    for name, (make, modules) in CONTENDERS.items():
        absent = [module for module in modules if not _is_installed(module)]
        if name == rulebook.NAME and not absent and not rulebook.has_java():
            absent = ["java"]
        if absent:
            missing[name] = f"{', '.join(absent)} is not installed"
        else:
            built[name] = make(conditions)
    return built, missing


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def find_differences(built: Mapping[str, Contender], lines: Sequence[bytes]) -> dict[str, str]:
    """Compare the matches of each contender with those of clawback; name the first difference."""
    expected = built["clawback"](lines)
    differences: dict[str, str] = {}
    for name, run in built.items():
        pairs = enumerate(zip(expected, run(lines), strict=True))
        wrong = [(row, own, other) for row, (own, other) in pairs if own != other]
        if wrong:
            row, own, other = wrong[0]
            differences[name] = f"{len(wrong)} events differ; event {row}: {other} and not {own}"
    return differences


def measure(
    built: Mapping[str, Contender], lines: Sequence[bytes], rounds: int
) -> dict[str, float]:
    """Measure µs per event: the median of rounds in which all take turns."""
    spent: dict[str, list[float]] = {name: [] for name in built}
    for _ in range(rounds):
        for name, run in built.items():
            started = process_time()
            for page in _pages(lines):
                run(page)
            spent[name].append((process_time() - started) / len(lines) * _MICRO)
    return {name: median(each) for name, each in spent.items()}


def _pages(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(lines), _PAGE):
        yield lines[start : start + _PAGE]


async def peers(
    *,
    sizes: Annotated[str, typer.Option(help="Numbers of rules.")] = "1,100",
    rounds: Annotated[int, typer.Option(help="Rounds; the table shows medians.", min=1)] = 3,
    events: Annotated[int, typer.Option(help="At most so many events.", min=1)] = 3_000,
    corpus: Annotated[
        Path, typer.Option(help="Corpus (.jsonl.gz); the demo corpus if there is no such file.")
    ] = CORPUS,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure events end to end, from JSON to matches, against other ways to do it."""
    records = read_records(corpus, 0)[:events]
    lines = [orjson.dumps(record) for record in records]
    console = wide_console()
    figures: dict[str, dict[str, float]] = {}
    for size in map(int, sizes.split(",")):
        built, excluded = build(make_conditions(records, max(size, 200), 0)[:size])
        excluded |= find_differences(built, lines)
        competing = {name: run for name, run in built.items() if name not in excluded}
        figures[str(size)] = measure(competing, lines, rounds)
        console.print(table(size, figures[str(size)]))
        for name, reason in excluded.items():
            console.print(f"{name} is left out: {reason}")
    about = {"events": len(lines), "rounds": rounds, "figures": figures}
    write_json({**environment_info(), **about}, json)


def table(size: int, found: Mapping[str, float]) -> Table:
    """Show the figures of one size, and their ratio to clawback."""
    shown = Table(title=f"{size:,} rules", box=None, pad_edge=False, header_style="bold")
    shown.add_column("")
    for heading in ("µs/event", "events/s", "to clawback"):
        shown.add_column(heading, justify="right")
    for name, cost in found.items():
        ratio = cost / found["clawback"]
        shown.add_row(name, f"{cost:.1f}", f"{_MICRO / cost:,.0f}", f"{ratio:.2f}")
    return shown
