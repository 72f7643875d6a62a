"""Another program rotates the audit, as logrotate does: no line is lost, no number given twice."""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from clawback.audit import AuditLog, Backlog, Broken, audit_files, read_records
from clawback.audit.backlog import START
from clawback.audit.chain import read_line
from clawback.services.audit_keeper import AuditKeeper
from clawback.settings import Settings
from tests.audit.test_audit import intact, record, verify

Rotate = Callable[[Path], None]


def rename(audit: Path) -> None:
    """Rotate as logrotate does by default."""
    shift(audit)
    if audit.exists():
        audit.rename(f"{audit}.1")


def rename_and_create(audit: Path) -> None:
    """Rotate as logrotate does with `create`."""
    rename(audit)
    audit.touch(mode=0o600)


def copy_and_truncate(audit: Path) -> None:
    """Rotate as logrotate does with `copytruncate`."""
    shift(audit)
    shutil.copy(audit, f"{audit}.1")
    os.truncate(audit, 0)


def compress(audit: Path) -> None:
    """Rotate as logrotate does with `compress`."""
    rename(audit)
    rotated = Path(f"{audit}.1")
    Path(f"{rotated}.gz").write_bytes(gzip.compress(rotated.read_bytes()))
    rotated.unlink()


def name_by_date(audit: Path) -> None:
    """Rotate as logrotate does with `dateext`."""
    audit.rename(f"{audit}-{20261129 + len(list(audit.parent.iterdir()))}")


def shift(audit: Path) -> None:
    """Make room for `.1`, as logrotate does."""
    for number in (3, 2, 1):
        for end in ("", ".gz"):
            if (old := Path(f"{audit}.{number}{end}")).exists():
                old.rename(f"{audit}.{number + 1}{end}")


ROTATIONS: list[Rotate] = [rename, rename_and_create, copy_and_truncate, compress, name_by_date]


def write(log: AuditLog, *numbers: int) -> None:
    for number in numbers:
        log.append([record(f"r{number}")])


def numbers_of(path: Path) -> list[int]:
    """The numbers of all lines in all files, as they stand there."""
    files = [file for file in path.parent.iterdir() if ".jsonl" in file.name]
    texts = [
        gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for file in files
        if not file.name.endswith((".key", ".lock"))
    ]
    return sorted(read_line(line).link.sequence for text in texts for line in text.splitlines())


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("restarts", [False, True])
def test_the_chain_goes_on_through_foreign_rotations(
    tmp_path: Path, rotate: Rotate, *, restarts: bool
) -> None:
    """Three times, under a writer that goes on or is started again."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    for first in (0, 3, 6):
        write(log, first, first + 1, first + 2)
        rotate(path)
        log = AuditLog(path) if restarts else log
    write(log, 9)

    assert numbers_of(path) == list(range(1, 11))
    assert intact(path).last == 10
    assert [one.id for one in read_records(path)] == [f"r{number}" for number in range(10)]
    assert [line.sequence for line in Backlog(path).read(START)] == list(range(1, 11))


def test_foreign_files_are_read_before_a_writer_names_them(tmp_path: Path) -> None:
    """The higher number is the older file, and `.10` comes after `.9`."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, max_bytes=1)
    write(log, *range(12))
    for age, file in enumerate(reversed(audit_files(path)[:-1]), 1):
        file.rename(f"{path}.{age}")

    assert intact(path).last == 12
    AuditLog(path).read_head()
    assert all(len(file.name.rpartition(".")[2]) == 12 for file in audit_files(path)[:-1])
    assert intact(path).last == 12


def test_a_copy_of_the_file_is_no_part_of_the_audit(tmp_path: Path) -> None:
    """As `copy` of logrotate and a backup beside it make one; other files are not looked at."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    write(log, 0, 1)
    shutil.copy(path, f"{path}.1")
    (tmp_path / "audit.jsonl.2").write_text("no audit\n")
    write(log, 2)
    assert AuditLog(path).append([record("r3")])
    assert audit_files(path) == [path]
    assert intact(path).last == 4
    assert Path(f"{path}.1").exists()


def test_two_writers_go_on_when_one_sees_the_rotation_late(tmp_path: Path) -> None:
    """The truncated file has grown beyond what the other had read of it."""
    path = tmp_path / "audit.jsonl"
    one, other = AuditLog(path), AuditLog(path)
    one.append([record("longer-than-what-follows")])
    write(other, 1)
    copy_and_truncate(path)
    write(one, *range(2, 7))
    write(other, 7)
    assert intact(path).last == 8
    assert numbers_of(path) == list(range(1, 9))


@pytest.mark.parametrize("rotate", [Path.unlink, lambda path: os.truncate(path, 0)])
def test_numbers_of_lines_that_were_taken_are_not_given_again(
    tmp_path: Path, rotate: Rotate
) -> None:
    """The file is removed or emptied, and an older one is still there: `verify` shows the gap."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    write(log, 0, 1)
    rename(path)
    write(log, 2, 3)
    rotate(path)
    write(log, 4)
    assert numbers_of(path) == [1, 2, 5]
    found = verify(path)
    assert isinstance(found, Broken)
    assert found.reason == "number 5 follows 2: lines are missing or were moved"


async def test_the_worker_says_that_somebody_else_rotates(tmp_path: Path) -> None:
    """Once for each time, in the log."""
    keeper = AuditKeeper(Settings(state=tmp_path), lambda _: None)
    write(keeper.log, 0)
    rename(keeper.log.path)
    write(keeper.log, 1)
    with capture_logs() as logs:
        await keeper.look()
        await keeper.look()
    assert [one["files"] for one in logs if one["event"] == "audit.rotated_elsewhere"] == [1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: b"\xef\xbb\xbf" + text, "begins with a byte order mark"),
        (lambda text: text.replace(b"\n", b"\r\n"), "its lines end with CRLF"),
    ],
)
def test_a_copy_that_another_program_saved_is_named(
    tmp_path: Path, change: Callable[[bytes], bytes], says: str
) -> None:
    """An editor or a transfer changed the bytes, and no attacker a record."""
    path = tmp_path / "audit.jsonl"
    write(AuditLog(path), 0, 1)
    path.write_bytes(change(path.read_bytes()))
    found = verify(path)
    assert isinstance(found, Broken)
    assert says in found.reason
