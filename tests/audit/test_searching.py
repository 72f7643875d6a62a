"""Searches of the audit: as if somebody looked at every record, of rotated files too."""

import gzip
import json
import tracemalloc
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.audit import AuditFilter, AuditLog, AuditSearch, read_records
from clawback.cli.exits import ExitCode
from clawback.model.audit_record import AuditRecord, RecordKind
from tests.audit.test_audit import NOON, record
from tests.cli.command import clawback

WORDS = ("move", "übel\n", 'a"b', "Ana", "m1", "moved", "failed:gone", "case/r/1", "case/r/1/2")
words = st.sampled_from(WORDS)
maybe = st.one_of(st.just(""), words)
filters = st.builds(
    AuditFilter,
    case=maybe,
    rule=maybe,
    actor=maybe,
    message=maybe,
    action=maybe,
    outcome=st.one_of(maybe, st.just("failed")),
    kind=st.sampled_from(["", RecordKind.ACTED, RecordKind.DENIED]),
    text=st.one_of(maybe, st.sampled_from(["ÜBEL", "an m1", "nothing"])),
    since=st.sampled_from([None, NOON, NOON + timedelta(seconds=2)]),
    until=st.sampled_from([None, NOON, NOON + timedelta(seconds=2)]),
)
fields = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("case", "rule", "action", "outcome", "target", "event", "detail", "actor"), words
    ),
)


def expect(records: Sequence[AuditRecord], wanted: AuditFilter) -> list[str]:
    """Look at each record, as the help text says."""

    def has(name: str, value: str | None, *, parts: str = "") -> bool:
        want = getattr(wanted, name)
        return not want or value == want or bool(parts and value and value.startswith(want + parts))

    return [
        one.id
        for one in records
        if has("case", one.case, parts="/")
        and has("rule", one.rule)
        and has("action", one.action)
        and has("outcome", one.outcome, parts=":")
        and has("kind", one.kind)
        and (not wanted.actor or wanted.actor.lower() == one.actor.lower())
        and (not wanted.message or wanted.message in (one.target, one.event))
        and (wanted.since is None or one.at >= wanted.since)
        and (wanted.until is None or one.at < wanted.until)
        and all(
            word in "\n".join(map(str, one.model_dump(mode="json").values())).lower()
            for word in wanted.text.lower().split()
        )
    ]


@settings(max_examples=100, deadline=None)
@given(
    made=st.lists(
        st.tuples(st.sampled_from([RecordKind.ACTED, RecordKind.DENIED]), fields), max_size=8
    ),
    wanted=filters,
)
def test_a_search_finds_what_looking_at_each_record_finds(
    made: list[tuple[RecordKind, dict[str, str]]],
    wanted: AuditFilter,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever it asks for."""
    records = [
        AuditRecord(id=f"r{number}", at=NOON + timedelta(seconds=number), kind=kind, **given_fields)
        for number, (kind, given_fields) in enumerate(made)
    ]
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    AuditLog(path).append(records)
    assert [one.record.id for one in AuditSearch(path, wanted)] == expect(records, wanted)


def test_rotated_and_compressed_files_are_searched_in_order(tmp_path: Path) -> None:
    """A record that was written twice is found once; a damaged line is counted and skipped."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, max_bytes=2_000)
    for number in range(12):
        log.append([record(f"r{number}", target=f"m{number % 3}")])
    rotated = sorted(tmp_path.glob("audit.jsonl.0*"))
    assert len(rotated) > 2
    rotated[0].with_name(f"{rotated[0].name}.gz").write_bytes(
        gzip.compress(rotated[0].read_bytes())
    )
    rotated[0].unlink()
    lines = rotated[1].read_bytes().splitlines(keepends=True)
    rotated[1].write_bytes(b"".join([lines[0], b'{"half"\n', *lines]))

    search = AuditSearch(path, AuditFilter())
    assert [one.record.id for one in search] == [f"r{number}" for number in range(12)]
    assert (search.damaged, search.admitted) == (1, 12)
    found = [one.sequence for one in AuditSearch(path, AuditFilter(message="m1"))]
    assert found == [2, 5, 8, 11]


def test_memory_does_not_grow_with_the_audit(tmp_path: Path) -> None:
    """Five thousand records that match take no more memory than a few."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record(f"r{number}") for number in range(5_000)])
    tracemalloc.start()
    assert sum(1 for _ in AuditSearch(path, AuditFilter(rule="quarantine_bec"))) == 5_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 1024 * 1024 < path.stat().st_size


def test_the_command_shows_the_newest_and_says_how_many_there_are(tmp_path: Path) -> None:
    """As a table and as JSON; control characters of a reason steer no terminal."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append(
        [record(f"r{number}", target=f"m{number}", detail="no\x1b[2J\nway") for number in range(9)]
    )
    done = clawback("audit", "search", "--file", str(path), "--limit", "2")
    lines = done.stdout.splitlines()
    assert (done.returncode, len(lines)) == (ExitCode.OK, 3)
    assert lines[-1].split()[:4] == ["9", "2026-11-22", "12:00:00", "acted"]
    assert "\x1b" not in done.stdout
    assert done.stderr.strip() == "The newest 2 of 9; --limit 0 shows all."

    for limit in ("0", "100"):
        done = clawback("audit", "search", "WAY", "--file", str(path), "--json", "--limit", limit)
        assert [one["target"] for one in json.loads(done.stdout)] == [f"m{n}" for n in range(9)]
    done = clawback("audit", "search", "--file", str(path), "--json", "--outcome", "x")
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [("--record", "actd", "is none of"), ("--since", "soon", "is neither a time")],
)
def test_a_wrong_option_is_one_sentence(option: str, value: str, says: str) -> None:
    """It names the option."""
    done = clawback("audit", "search", option, value)
    assert done.returncode == ExitCode.USAGE
    assert says in done.stderr


def test_all_readers_take_compressed_files(tmp_path: Path) -> None:
    """What is rotated may be compressed, by clawback or by hand."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, max_bytes=1_000)
    for number in range(4):
        log.append([record(f"r{number}")])
    for file in tmp_path.glob("audit.jsonl.0*"):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert [one.id for one in read_records(path)] == [f"r{number}" for number in range(4)]
