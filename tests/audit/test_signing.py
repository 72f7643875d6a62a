"""Signatures of the audit: what somebody without the key cannot do, and how keys are replaced."""

import multiprocessing
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.audit import (
    AuditKeyError,
    AuditLog,
    AuditUnavailable,
    Broken,
    Head,
    Verified,
    default_key_file,
    read_public_keys,
    read_records,
    verify,
)
from clawback.audit.chain import ChainLink, write_line
from clawback.audit.signing import SigningKeys, read_signing_keys
from clawback.model.audit_record import AuditRecord, RecordKind
from tests.audit.test_audit import record
from tests.people import person

KEYS = SigningKeys.generate()
STRANGER = SigningKeys.generate()


def seal(records: Sequence[AuditRecord], keys: SigningKeys) -> list[bytes]:
    """Write the lines of an audit that begins with these records."""
    lines, link = [], ChainLink()
    for one in records:
        line, link = write_line(one, link, keys)
        lines.append(line)
    return lines


def verify_lines(path: Path, lines: Sequence[bytes], *heads: Head) -> Verified | Broken:
    """Verify lines with the public key of the installation."""
    path.write_bytes(b"".join(lines))
    return verify(path, [KEYS.public], heads, archived=True)


def test_a_chain_that_was_computed_anew_is_found(tmp_path: Path) -> None:
    """14 of 117 lines dropped, an actor renamed, all hashes made to fit: only the key tells."""
    path = tmp_path / "audit.jsonl"
    records = [record(f"r{number}", actor="ana") for number in range(117)]
    kept = [one.model_copy(update={"actor": "the ceo"}) for one in records[:80] + records[94:]]
    forged = seal(kept, STRANGER)
    found = verify_lines(path, forged)
    assert isinstance(verify(path, None), Verified)
    assert isinstance(found, Broken)
    assert (found.line, found.reason) == (
        1,
        f"key {STRANGER.id} signed it, and no trusted key vouches for that one",
    )

    # With the id of the real key, and even with a signature that it once made.
    stolen = KEYS.id.encode()
    renamed = write_line(kept[0], ChainLink(), KEYS)[0].rpartition(b'"signature"')[2]
    lines = [forged[0].rpartition(b'"signature"')[0] + b'"signature"' + renamed, *forged[1:]]
    found = verify_lines(path, [line.replace(STRANGER.id.encode(), stolen) for line in lines])
    assert isinstance(found, Broken)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_only_what_was_written_verifies(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever lines somebody picks, repeats, or adds, only an unbroken stretch verifies."""
    ours = seal([record(f"r{number}") for number in range(6)], KEYS)
    theirs = seal([record(f"r{number}", actor="eve") for number in range(6)], STRANGER)
    lines = data.draw(st.lists(st.sampled_from([*ours, *theirs]), min_size=1, max_size=7))
    numbers = [ours.index(line) if line in ours else None for line in lines]
    first = numbers[0]
    is_stretch = first is not None and numbers == list(range(first, first + len(numbers)))
    found = verify_lines(tmp_path_factory.mktemp("audit") / "audit.jsonl", lines)
    assert isinstance(found, Verified) is is_stretch


@settings(max_examples=150, deadline=None)
@given(place=st.integers(min_value=0), byte=st.integers(0, 255))
def test_no_byte_of_a_line_can_be_changed(
    place: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Record, hash, signature and newline alike."""
    lines = b"".join(seal([record(f"r{number}") for number in range(3)], KEYS))
    changed = bytearray(lines)
    changed[place % len(lines)] = byte
    found = verify_lines(tmp_path_factory.mktemp("audit") / "audit.jsonl", [bytes(changed)])
    is_same = bytes(changed) == lines
    is_torn = isinstance(found, Verified) and found.torn and found.lines == 2
    assert isinstance(found, Verified) is (is_same or is_torn)


def test_a_published_head_finds_what_is_missing_or_another_line(tmp_path: Path) -> None:
    """A tail cut off, an audit begun anew with the stolen key, and a head from before the files."""
    path = tmp_path / "audit.jsonl"
    ours, anew = (
        seal([record(f"{name}{number}") for number in range(5)], KEYS) for name in ("r", "n")
    )
    whole = verify_lines(path, ours)
    assert isinstance(whole, Verified)
    head = whole.head
    reasons = [
        found.reason
        for lines in (ours[:3], anew, ours[2:])
        if isinstance(found := verify_lines(path, lines, head, Head(2, "0" * 64)), Broken)
    ]
    assert [reason.partition(":")[0] for reason in reasons] == [
        "the published head 2",
        "the published head 2",
        "the line of the published head 2",
    ]
    cut = verify_lines(path, ours[:3], head)
    assert isinstance(cut, Broken)
    assert cut.reason.endswith("is missing: the audit ends at 3")


@pytest.mark.parametrize("text", ["", "12", "x:0123456789ab", "1:0123456789a", "1:0123456789ag"])
def test_what_is_no_head_is_refused(text: str) -> None:
    """The text says what a head looks like."""
    with pytest.raises(ValueError, match="is no head such as"):
        Head.parse(text)


@given(
    sequence=st.integers(0, 10**12), digits=st.text("0123456789abcdef", min_size=64, max_size=64)
)
def test_a_head_is_read_as_it_is_printed(sequence: int, digits: str) -> None:
    """As logs and notices hold it, or the first digits."""
    head = Head(sequence, digits)
    assert Head.parse(f" {head}\n".upper()) == head


def test_the_first_writer_makes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    """Also under another mask; an auditor's file verifies and cannot sign."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record("a")])
    assert stat.S_IMODE(default_key_file(path).stat().st_mode) == 0o600
    given_out = tmp_path / "auditor.pem"
    given_out.write_bytes(b"".join(key.pem for key in read_public_keys(default_key_file(path))))
    assert isinstance(verify(path, read_public_keys(given_out)), Verified)
    with pytest.raises(AuditKeyError, match="holds no private Ed25519 key"):
        read_signing_keys(given_out)


def _append(path: Path, name: str) -> None:
    AuditLog(path).append([record(name)])


def test_a_key_is_replaced_under_writers_that_go_on(tmp_path: Path) -> None:
    """Running writers take the new key; whoever trusts the old one can follow."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.append([record("a")])
    (old,) = read_public_keys(default_key_file(path))
    new = AuditLog(path).rotate_key(person("ana"))
    log.append([record("b")])
    other = multiprocessing.get_context("spawn").Process(target=_append, args=(path, "c"))
    other.start()
    other.join()

    for keys in ([old], [old, new.public], read_public_keys(default_key_file(path))):
        found = verify(path, keys)
        assert isinstance(found, Verified)
        assert found.keys == (old.id, new.id)
    (change,) = (one for one in read_records(path) if one.kind is RecordKind.AUDIT_KEY_CHANGED)
    assert (change.before, change.after, change.actor) == (old.id, new.public.text, "ana")


def test_a_key_that_was_replaced_signs_nothing_any_more(tmp_path: Path) -> None:
    """So that one which leaks later cannot add lines."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.append([record("a")])
    stolen = default_key_file(path).read_bytes()
    log.rotate_key(person("ana"))
    log.append([record("b")])
    default_key_file(path).write_bytes(stolen)
    log.append([record("c")])
    found = verify(path, read_public_keys(default_key_file(path)))
    assert isinstance(found, Broken)
    assert (found.line, found.reason.partition(",")[2]) == (
        4,
        f" which key {_key_of(path, 3)} had replaced",
    )


def _key_of(path: Path, line: int) -> str:
    text = path.read_text().splitlines()[line - 1]
    return text.partition('"key":"')[2][:16]


def test_a_lost_key_file_does_not_stop_the_audit_and_is_found(tmp_path: Path) -> None:
    """The next record says so; whoever trusts the lost key sees where it ended."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record("a")])
    old = read_public_keys(default_key_file(path))
    default_key_file(path).unlink()
    written = AuditLog(path).append([record("b")])
    assert [one.kind for one in written] == [RecordKind.AUDIT_KEY_CHANGED, RecordKind.ACTED]
    new = read_public_keys(default_key_file(path))
    assert isinstance(verify(path, [*old, *new]), Verified)
    found = verify(path, old)
    assert isinstance(found, Broken)
    assert (found.line, found.reason) == (
        2,
        f"key {new[0].id} signed it, and no trusted key vouches for that one",
    )


def test_a_forged_last_line_is_not_continued(tmp_path: Path) -> None:
    """A writer vouches for what it continues, so it looks at the signature first."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append([record("a")])
    keys = read_signing_keys(default_key_file(path))
    line = write_line(record("a", actor="eve"), ChainLink(), STRANGER)[0]
    path.write_bytes(seal([record("a")], keys)[0])
    forged = write_line(record("b"), ChainLink(1, "0" * 64), keys)[0][:-92] + line[-92:]
    with path.open("ab") as file:
        file.write(forged)
    with pytest.raises(AuditUnavailable, match="its signature is not of the key that it names"):
        AuditLog(path).append([record("c")])


def test_a_damaged_key_file_names_the_remedy(tmp_path: Path) -> None:
    """Cases wait until it is repaired; no other key takes its place by itself."""
    path = tmp_path / "audit.jsonl"
    default_key_file(path).write_text("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----")
    with pytest.raises(AuditUnavailable, match="holds a damaged key; restore it from a copy"):
        AuditLog(path).append([record("a")])


def test_no_workflow_can_name_a_key(tmp_path: Path) -> None:
    """A record of a new key makes verifiers trust it, so the log alone writes one."""
    forged = record("a", RecordKind.AUDIT_KEY_CHANGED, after=STRANGER.public.text)
    with pytest.raises(ValueError, match="rotate_key"):
        AuditLog(tmp_path / "audit.jsonl").append([forged])
