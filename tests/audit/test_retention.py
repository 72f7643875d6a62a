"""Rotation by size and age, compression, and removal: the chain goes on, and nothing is lost."""

import gzip
import os
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from clawback.audit import (
    AuditLog,
    Broken,
    Verified,
    audit_files,
    compress_rotated,
    default_key_file,
    find_removable,
    latest_matches,
    read_public_keys,
    read_records,
    sequence_of,
    verify,
)
from clawback.model.audit_record import RecordKind
from clawback.services.audit_keeper import AuditKeeper
from clawback.settings import Settings
from tests.audit.test_audit import record

DAY = timedelta(days=1)


def write(path: Path, count: int = 12) -> AuditLog:
    """Write an audit of several files, three records each."""
    log = AuditLog(path, max_bytes=2_000)
    for number in range(count):
        log.append([record(f"r{number}")])
    return log


def check(path: Path, *, archived: bool = False) -> Verified | Broken:
    """Verify with the key beside it."""
    return verify(path, read_public_keys(default_key_file(path)), archived=archived)


def age(files: list[Path], days: int) -> None:
    """Let files be older than they are."""
    for file in files:
        then = file.stat().st_mtime - days * 86_400
        os.utime(file, (then, then))


def test_a_file_is_rotated_by_the_age_of_its_first_record(tmp_path: Path) -> None:
    """Also by a writer that has not begun it; the chain continues."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record("a")])  # of November 2026
    AuditLog(path, max_age=timedelta(days=365_000)).append([record("b")])
    assert len(audit_files(path)) == 1
    AuditLog(path, max_age=timedelta(0)).append([record("c")])
    assert [file.name for file in audit_files(path)] == ["audit.jsonl.000000000002", "audit.jsonl"]
    assert isinstance(check(path), Verified)


def test_compressed_files_verify_and_continue(tmp_path: Path) -> None:
    """All but the newest rotated one, for their owner alone, and a tenth as large."""
    path = tmp_path / "audit.jsonl"
    log = write(path)
    before = [file.read_bytes() for file in audit_files(path)]
    packed = compress_rotated(path)
    assert len(packed) == len(before) - 2 > 0
    assert [gzip.decompress(file.read_bytes()) for file in packed] == before[:-2]
    assert {stat.S_IMODE(file.stat().st_mode) for file in packed} == {0o600}
    assert compress_rotated(path) == []
    log.append([record("next")])
    found = check(path)
    assert isinstance(found, Verified)
    assert (found.first, found.last) == (1, 13)
    assert [one.id for one in read_records(path)] == [*(f"r{n}" for n in range(12)), "next"]
    assert latest_matches(path) == {}


def test_an_interrupted_compression_does_no_harm(tmp_path: Path) -> None:
    """A half-written copy is none, and of original and copy only one is read."""
    path = tmp_path / "audit.jsonl"
    write(path)
    first = audit_files(path)[0]
    first.with_name(f"{first.name}.gz.new").write_bytes(b"half")
    first.with_name(f"{first.name}.gz").write_bytes(gzip.compress(first.read_bytes())[:50])
    assert isinstance(check(path), Verified)
    compress_rotated(path)
    found = check(path)
    assert isinstance(found, Verified)
    assert found.lines == 12


def test_several_processes_compress_once(tmp_path: Path) -> None:
    """While others write."""
    path = tmp_path / "audit.jsonl"
    log = write(path)
    workers = [threading.Thread(target=compress_rotated, args=(path,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    log.append([record("meanwhile")])
    for worker in workers:
        worker.join()
    found = check(path)
    assert isinstance(found, Verified)
    assert found.last == 13


def test_a_writer_continues_after_a_compressed_file(tmp_path: Path) -> None:
    """Somebody compressed all that is rotated, and a crash left no live file."""
    path = tmp_path / "audit.jsonl"
    write(path, 3)
    packed = tmp_path / "audit.jsonl.000000000003.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    AuditLog(path).append([record("next")])
    found = check(path)
    assert isinstance(found, Verified)
    assert found.last == 4


def test_old_files_are_removed_on_record(tmp_path: Path) -> None:
    """The rest is intact; what nobody recorded as removed is missing."""
    path = tmp_path / "audit.jsonl"
    log = write(path, 20)
    age(audit_files(path)[:2], days=40)
    compress_rotated(path)
    old = find_removable(path, 30 * DAY)
    assert len(old) == 2
    log.remove_files(old, "older than 30d")
    assert not any(file.exists() for file in old)
    found = check(path)
    assert isinstance(found, Verified)
    assert found.first > 1
    (removal,) = (one for one in read_records(path) if one.kind is RecordKind.AUDIT_FILES_REMOVED)
    assert removal.after == str(found.first - 1)

    audit_files(path)[0].unlink()
    stolen = check(path)
    assert isinstance(stolen, Broken)
    assert f"lines {found.first} to " in stolen.reason
    assert "no record says that they were removed" in stolen.reason
    assert isinstance(check(path, archived=True), Verified)


@pytest.mark.parametrize(("shipped", "removable"), [(None, 5), (0, 0), (8, 2), (9, 3), (99, 5)])
def test_what_a_collector_does_not_have_is_kept(
    tmp_path: Path, shipped: int | None, removable: int
) -> None:
    """However old it is; a later file never goes before an earlier one."""
    path = tmp_path / "audit.jsonl"
    log = write(path, 20)
    rotated = audit_files(path)[:-1]
    assert [sequence_of(file) for file in rotated] == [3, 6, 9, 12, 15, 18]
    age(rotated, days=40)
    assert find_removable(path, 30 * DAY, shipped) == rotated[:removable]
    age([rotated[0]], days=-40)
    assert find_removable(path, 30 * DAY, shipped) == []
    log.append([record("goes on")])


def test_nobody_else_can_say_that_lines_were_removed(tmp_path: Path) -> None:
    """A workflow that could would let lines disappear."""
    forged = record("a", RecordKind.AUDIT_FILES_REMOVED, after="99")
    with pytest.raises(ValueError, match="remove_files"):
        AuditLog(tmp_path / "audit.jsonl").append([forged])


def test_a_keeper_does_all_of_it_by_its_settings(tmp_path: Path) -> None:
    """Rotates, compresses, removes, and says so in the log."""
    path = tmp_path / "audit.jsonl"
    settings = Settings(audit=path, audit_file_bytes=10_000, audit_keep=30 * DAY)
    keeper = AuditKeeper(settings, lambda _: None)
    for number in range(60):
        keeper.log.append([record(f"r{number}")])
    age(audit_files(path)[:1], days=40)
    with capture_logs() as logs:
        keeper.tidy()
    assert [one["event"] for one in logs] == ["audit.files_compressed", "audit.files_removed"]
    found = check(path)
    assert isinstance(found, Verified)
    assert (found.first > 1, found.last) == (True, 61)

    (tmp_path / "audit.jsonl.tidy.lock").unlink()
    (tmp_path / "audit.jsonl.tidy.lock").mkdir()
    with capture_logs() as logs:
        keeper.tidy()
    assert [one["event"] for one in logs] == ["audit.not_tidied"]


def test_files_beyond_a_size_are_removed_on_record(tmp_path: Path) -> None:
    """The oldest first, until the rest fits; the live file and what nobody has shipped stay."""
    path = tmp_path / "audit.jsonl"
    write(path, 20)
    files = audit_files(path)
    sizes = [file.stat().st_size for file in files]
    fits = sum(sizes[3:])
    assert find_removable(path, None) == []
    assert find_removable(path, None, most_bytes=sum(sizes)) == []
    assert find_removable(path, None, most_bytes=fits) == files[:3]
    assert find_removable(path, None, 6, most_bytes=fits) == files[:2]
    assert find_removable(path, None, most_bytes=0) == files[:-2]


def test_the_worker_keeps_the_audit_within_its_size(tmp_path: Path) -> None:
    """It removes files on record, and what is left verifies."""
    settings = Settings(state=tmp_path, audit_keep_bytes=1_000_000)
    write(settings.audit_file, 20)
    keeper = AuditKeeper(settings.model_copy(update={"audit_keep_bytes": 5_000}), lambda _: None)
    with capture_logs() as logs:
        keeper.tidy()
    assert "audit.files_removed" in [one["event"] for one in logs]
    found = check(settings.audit_file)
    assert isinstance(found, Verified)
    assert found.first > 1
    *_, removal = read_records(settings.audit_file)
    assert removal.kind is RecordKind.AUDIT_FILES_REMOVED
    assert removal.detail == "beyond 5,000 bytes in all (CLAWBACK_AUDIT_KEEP_BYTES)"
