"""The audit log on a real disk: chained, complete, with many writers, safe against crashes."""

import json
import multiprocessing
import os
import resource
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.audit import (
    AuditLog,
    AuditUnavailable,
    Broken,
    Head,
    Verified,
    default_key_file,
    read_public_keys,
    read_records,
)
from clawback.audit import verify as verify_with
from clawback.audit.chain import ChainLink, read_line, write_line
from clawback.audit.ocsf import to_ocsf
from clawback.audit.signing import SigningKeys
from clawback.model.audit_record import AuditRecord, RecordKind

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEYS = SigningKeys.generate()


def record(identity: str, kind: RecordKind = RecordKind.ACTED, **fields: str) -> AuditRecord:
    """Build a record with its own id."""
    return AuditRecord(
        id=identity,
        at=NOON,
        kind=kind,
        **{"rule": "quarantine_bec", "case": "case/quarantine_bec/0", **fields},
    )


def verify(path: Path, *heads: Head) -> Verified | Broken:
    """Verify an audit with the key beside it."""
    return verify_with(path, read_public_keys(default_key_file(path)), heads)


def intact(path: Path) -> Verified:
    """Verify an audit that must be intact."""
    state = verify(path)
    assert isinstance(state, Verified), state
    return state


def test_records_are_numbered_chained_and_read_back(tmp_path: Path) -> None:
    """Records of several calls come back in order, equal, and verify from number 1 on."""
    log = AuditLog(tmp_path / "audit.jsonl")
    records = [record(f"r{number}", outcome="moved", target=f"t{number}") for number in range(5)]
    log.append(records[:2])
    log.append(records[2:])
    assert list(read_records(tmp_path / "audit.jsonl")) == records
    state = intact(tmp_path / "audit.jsonl")
    assert (state.lines, state.first, state.last) == (5, 1, 5)


def test_a_repeat_is_dropped_also_by_the_next_writer(tmp_path: Path) -> None:
    """Within one batch, in a later one, and after a restart."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    assert [written.id for written in log.append([record("a"), record("a"), record("b")])] == [
        "a",
        "b",
    ]
    assert log.append([record("b")]) == ()
    assert [written.id for written in AuditLog(path).append([record("a"), record("c")])] == ["c"]
    assert intact(path).lines == 3


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    """After a crash during a write the audit verifies as torn and continues after its last line."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record("a"), record("b")])
    os.truncate(path, path.stat().st_size - cut)
    state = intact(path)
    assert (state.lines, state.torn) == (1, True)
    assert [written.id for written in AuditLog(path).append([record("b"), record("c")])] == [
        "b",
        "c",
    ]
    assert (intact(path).lines, intact(path).torn) == (3, False)


def _write_many(path: Path, name: str) -> None:
    log = AuditLog(path, max_bytes=20_000)
    for number in range(40):
        log.append([record(f"{name}-{number}")])


def test_several_processes_and_threads_write_one_chain(tmp_path: Path) -> None:
    """Three processes and two threads lose nothing and keep one chain across rotations."""
    path = tmp_path / "audit.jsonl"
    spawn = multiprocessing.get_context("spawn")
    writers: Sequence[multiprocessing.process.BaseProcess | threading.Thread] = [
        *(spawn.Process(target=_write_many, args=(path, f"p{number}")) for number in range(3)),
        *(threading.Thread(target=_write_many, args=(path, f"t{number}")) for number in range(2)),
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    state = intact(path)
    assert (state.lines, state.first, state.last) == (200, 1, 200)
    assert state.files > 2
    assert len({found.id for found in read_records(path)}) == 200


def test_a_new_writer_continues_the_chain_of_a_rotated_file(tmp_path: Path) -> None:
    """With its number, its hash and its ids."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record("a"), record("b")])
    path.rename(tmp_path / "audit.jsonl.000000000002")
    assert [written.id for written in AuditLog(path).append([record("b"), record("c")])] == ["c"]
    assert (intact(path).last, intact(path).files) == (3, 2)
    keys = read_public_keys(default_key_file(path))
    alone = verify_with(tmp_path / "audit.jsonl.000000000002", keys)
    assert isinstance(alone, Verified)
    assert alone.lines == 2


def _changed(lines: list[bytes], how: str) -> list[bytes]:
    match how:
        case "edited":
            return [lines[0], lines[1].replace(b"moved", b"Moved"), *lines[2:]]
        case "removed":
            return [lines[0], *lines[2:]]
        case "swapped":
            return [lines[0], lines[2], lines[1], *lines[3:]]
        case "forged":
            stranger = SigningKeys.generate()
            return [
                lines[0],
                write_line(record("x"), ChainLink(1, "f" * 64), stranger)[0],
                *lines[2:],
            ]
        case _:
            return [lines[0], b"{}\n", *lines[1:]]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("edited", "the line was changed"),
        ("removed", "number 3 follows 1"),
        ("swapped", "number 3 follows 1"),
        ("forged", "it does not follow the line before it"),
        ("foreign", "not an audit record"),
    ],
)
def test_a_change_is_found_and_located(tmp_path: Path, how: str, says: str) -> None:
    """A change to the second line is reported there, with its kind."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record(f"r{number}", outcome="moved") for number in range(4)])
    path.write_bytes(b"".join(_changed(path.read_bytes().splitlines(keepends=True), how)))
    found = verify(path)
    assert isinstance(found, Broken)
    assert (found.line, found.reason[: len(says)]) == (2, says)


def test_lines_cut_off_the_end_are_found_by_an_earlier_head(tmp_path: Path) -> None:
    """Without it the rest looks intact; an audit that has only grown still has the line."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.append([record("r0"), record("r1")])
    head = intact(path).head
    log.append([record("r2")])
    assert isinstance(verify(path, head, Head(2, head.hash[:12])), Verified)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert isinstance(verify(path), Verified)
    cut = verify(path, head)
    assert isinstance(cut, Broken)
    assert (cut.line, cut.reason.partition(":")[0]) == (1, "the line of the published head 2")


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Make writes fail part-way beyond `limit` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The error names file and remedy; the batch is written whole once there is space."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.append([record("a")])
    size = path.stat().st_size
    with file_size_limit(size + 700), pytest.raises(AuditUnavailable) as refused:
        log.append([record("b"), record("c")])
    assert path.stat().st_size == size
    assert "audit.jsonl: file too large; free some space or set CLAWBACK_AUDIT" in str(
        refused.value
    )
    log.append([record("b"), record("c")])
    assert intact(path).lines == 3


def test_a_path_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    """The error says which setting to change."""
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditUnavailable, match="set CLAWBACK_AUDIT to another file"):
        AuditLog(tmp_path / "file" / "audit.jsonl").append([record("a")])


def test_a_damaged_last_line_is_not_overwritten(tmp_path: Path) -> None:
    """A complete last line that is no audit record stops the writer: it may be evidence."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record("a")])
    with path.open("ab") as file:
        file.write(b'{"who": "knows"}\n')
    before = path.read_bytes()
    with pytest.raises(AuditUnavailable, match="its last line is damaged"):
        AuditLog(path).append([record("b")])
    assert path.read_bytes() == before


@settings(max_examples=60, deadline=None)
@given(detail=st.text(max_size=80), outcome=st.text(max_size=30), event=st.text(max_size=30))
def test_any_text_survives_the_round_trip(detail: str, outcome: str, event: str) -> None:
    """One line, which verifies by itself and parses back to the record."""
    given_record = record("a", detail=detail, outcome=outcome, event=event)
    line, link = write_line(given_record, ChainLink(), KEYS)
    assert line.count(b"\n") == 1
    read = read_line(line)
    assert read.link == link
    assert KEYS.public.has_signed(link.hash, read.signature)
    assert AuditRecord.model_validate(json.loads(line)["unmapped"]) == given_record


@pytest.mark.parametrize("kind", list(RecordKind))
def test_every_kind_is_an_ocsf_event(kind: RecordKind) -> None:
    """Each kind has what OCSF requires of its class, with consistent ids."""
    event = to_ocsf(record("a", kind, outcome="failed:not_found"))
    required = {
        "metadata",
        "time",
        "category_uid",
        "class_uid",
        "activity_id",
        "type_uid",
        "severity_id",
        "status_id",
        "message",
    }
    of_class = {
        2005: "finding_info_list",
        3002: "user",
        6002: "app",
        6008: "raw_data",
        7001: "command_uid",
    }
    assert required | {of_class[event["class_uid"]]} <= set(event)
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["category_uid"] == event["class_uid"] // 1000
    assert event["time"] == 1_795_348_800_000
    assert event["metadata"]["uid"] == "a"


def test_a_failure_differs_from_a_success() -> None:
    """A failed action has OCSF's failure status and a higher severity."""
    done, undone = (
        to_ocsf(record("a", outcome=outcome)) for outcome in ("moved", "failed:not_found")
    )
    assert (done["status_id"], undone["status_id"]) == (1, 2)
    assert undone["severity_id"] > done["severity_id"]
