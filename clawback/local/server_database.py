"""Carries the database of the embedded server into the schema of another version of the server.

The server makes its schema in an empty file and never changes it again: with a database from before
an upgrade it starts, and then cannot write what has no column. Its versions only add tables and
columns, because what they keep are protobuf messages. So a new file gets every row of the old one,
which stays beside it.
"""

import asyncio
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from clawback.local.errors import SetupError
from clawback.local.preflight import free_port
from clawback.local.temporal_server import TemporalServer, find_temporal

_UNKNOWN: Final = "an unknown version"
_EPHEMERAL: Final = frozenset({"cluster_membership"})
"""What a server writes anew with each start."""
_DERIVED: Final = "_fts_"
"""Names of full-text tables have it; triggers on the table that they index fill them."""
_GENERATED: Final = frozenset({2, 3})
_START_SECONDS: Final = 60.0
_START_ATTEMPTS: Final = 3
_STOP_SECONDS: Final = 10.0
_SIDE_FILES: Final = ("-wal", "-shm")


class DatabaseUnfit(SetupError):
    """The database cannot be used with this version of the server; nothing was changed."""


@dataclass(frozen=True)
class Carried:
    """The versions of the server before and after, the rows, and where the old file is."""

    before: str
    after: str
    rows: int
    kept: Path


Columns = tuple[str, ...]
Tables = Mapping[str, Columns]


async def fit_database(
    server: TemporalServer, on_begin: Callable[[], None] = lambda: None
) -> Carried | None:
    """Carry the database into the schema of the program that will open it, if it has another.

    Costs a look at the version where nothing changed. `on_begin` is called before what takes long.

    Raises:
        DatabaseUnfit: the database is of a newer server, or damaged.
        SetupError: there is no `temporal` program, or it does not start.

    """
    database, version = server.database, await asyncio.to_thread(read_program_version)
    before = written_by(database)
    if not database.exists() or before == version:
        note_writer(database, version)
        return None

    with tempfile.TemporaryDirectory(prefix=".carry-", dir=database.parent) as folder:
        empty = Path(folder) / database.name
        await _make_empty(server, empty)
        carried = await asyncio.to_thread(_carry, database, empty, before, version, on_begin)

    note_writer(database, version)
    return carried


def read_program_version() -> str:
    """Read the version of the `temporal` program, and that of the server in it.

    Raises:
        SetupError: there is none, or it does not run.

    """
    program = find_temporal()
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [program, "--version"], capture_output=True, check=True, text=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SetupError(f"{program} does not run: {error}; run `make env`") from error
    return done.stdout.strip()


def written_by(database: Path) -> str:
    """Say which version of the program wrote a database last, as far as `fit_database` noted it."""
    note = _version_file(database)
    return note.read_text("utf-8") if note.exists() else _UNKNOWN


def note_writer(database: Path, version: str) -> None:
    """Note which version of the program wrote a database."""
    note = _version_file(database)
    if not note.exists() or note.read_text("utf-8") != version:
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.write_text(version, encoding="utf-8")


def read_schema(database: Path) -> frozenset[tuple[str, str]]:
    """Read the schema of a database: what each table, index and trigger was created with."""
    with closing(_open(database)) as found:
        rows = found.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return frozenset(rows.fetchall())


def _carry(
    database: Path, empty: Path, before: str, after: str, on_begin: Callable[[], None]
) -> Carried | None:
    try:
        if read_schema(database) == read_schema(empty):
            return None

        on_begin()
        kept = _free_name(database, before)
        rows = copy_rows(database, empty)
        _settle(database)
        _settle(empty)
        # One after the other: a crash in between leaves the old one, under its new name.
        database.rename(kept)
        empty.rename(database)
    except sqlite3.Error as error:
        raise DatabaseUnfit(
            f"cannot carry {database} into the schema of {after}: {error}; nothing was changed: "
            f"install the version that wrote it ({before}), or restore a backup"
        ) from error
    return Carried(before, after, rows, kept)


def copy_rows(database: Path, empty: Path) -> int:
    """Replace the rows of a fresh database by those of another one; return how many.

    Raises:
        DatabaseUnfit: it has rows that the fresh one has no place for.
        sqlite3.Error: a file is damaged, or a row does not fit.

    """
    with closing(_open(empty)) as target:
        target.execute("ATTACH ? AS old", (str(database),))
        old, new = _tables_of(target, "old"), _tables_of(target, "main")
        _require_places(target, old, new, database)

        rows = 0
        target.execute("BEGIN IMMEDIATE")
        for table in new.keys() & old.keys():
            shared = ", ".join(f'"{column}"' for column in old[table])
            target.execute(f'DELETE FROM main."{table}"')  # noqa: S608 - names of the schema
            copied = target.execute(
                f'INSERT INTO main."{table}" ({shared}) SELECT {shared} FROM old."{table}"'  # noqa: S608 - names of the schema
            )
            rows += copied.rowcount
        target.execute("COMMIT")
        return rows


def _require_places(target: sqlite3.Connection, old: Tables, new: Tables, database: Path) -> None:
    """Raise if the new schema lacks a table or column that is in use."""
    for table, columns in old.items():
        homeless = [column for column in columns if column not in new.get(table, ())]
        query = f'SELECT EXISTS (SELECT 1 FROM old."{table}")'  # noqa: S608 - names of the schema
        if homeless and target.execute(query).fetchone()[0]:
            raise DatabaseUnfit(
                f"{database} was written by a newer Temporal server: this one has no {table}"
                f"({', '.join(homeless)}); install the newer version again, or restore a backup "
                "from before it"
            )


def _tables_of(database: sqlite3.Connection, name: str) -> Tables:
    tables = [
        table
        for (table,) in database.execute(
            f"SELECT name FROM {name}.sqlite_master WHERE type = 'table' ORDER BY name"  # noqa: S608 - one of ours
        )
    ]
    return {
        table: tuple(_stored_columns(database, name, table))
        for table in tables
        if _DERIVED not in table and table not in _EPHEMERAL and not table.startswith("sqlite_")
    }


def _stored_columns(database: sqlite3.Connection, name: str, table: str) -> Iterator[str]:
    for row in database.execute(f'PRAGMA {name}.table_xinfo("{table}")'):
        if row[6] not in _GENERATED:
            yield row[1]


def _open(database: Path) -> sqlite3.Connection:
    # Autocommit: what belongs together begins its own transaction.
    return sqlite3.connect(f"file:{database}?mode=rw", uri=True, isolation_level=None)


def _settle(database: Path) -> None:
    """Move what is in the write-ahead log into the database, so that one file has everything."""
    with closing(_open(database)) as settled:
        settled.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in _SIDE_FILES:
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _free_name(database: Path, version: str) -> Path:
    words = "".join(one if one.isalnum() or one == "." else " " for one in version).split()
    short = next((word for word in words if word[0].isdigit()), "unknown")
    names = (f"{database.name}.{short}{n}" for n in ("", *(f".{i}" for i in range(1, 1000))))
    return next(one for name in names if not (one := database.with_name(name)).exists())


async def _make_empty(server: TemporalServer, database: Path) -> None:
    """Let the program make its schema in a new file.

    Raises:
        SetupError: it does not.

    """
    for attempt in range(1, _START_ATTEMPTS + 1):
        try:
            await _start_once(replace(server, database=database, port=free_port(), ui_port=None))
        except SetupError:
            # It chooses ports for its inner services, which somebody else may take first.
            if attempt == _START_ATTEMPTS:
                raise
        else:
            return


async def _start_once(server: TemporalServer) -> None:
    process = await asyncio.create_subprocess_exec(
        *server.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not await _listens(server.port):
                if process.returncode is not None:
                    raise SetupError(f"the Temporal server exited with {process.returncode}")
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise SetupError(f"the Temporal server did not start in {_START_SECONDS:.0f} s") from None
    finally:
        await _end(process)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _version_file(database: Path) -> Path:
    return database.with_suffix(".version")
