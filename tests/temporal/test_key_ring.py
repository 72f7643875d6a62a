"""The key ring: its file, its ids, and the steps of a rotation."""

import base64
import stat
from pathlib import Path

import pytest

from clawback.settings import Settings
from clawback.temporal.client import read_keys
from clawback.temporal.key_ring import (
    Key,
    KeyRing,
    KeyUse,
    PayloadKeyError,
    create_key_file,
    read_key_file,
    replace_key_file,
)


def test_a_new_file_holds_one_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    """Also its folder, if that is new; a file that exists is never replaced."""
    path = tmp_path / "state" / "keys"
    ring = create_key_file(path)
    assert read_key_file(path).ids == ring.ids
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(FileExistsError):
        create_key_file(path)


def test_comments_and_empty_lines_are_ignored(tmp_path: Path) -> None:
    """The first key is current; a key that stands twice counts once."""
    first, second = Key.generate(), Key.generate()
    path = tmp_path / "keys"
    path.write_text(f"# ours\n\n  {first.line}\n{second.line}\n{first.line}\n")
    ring = read_key_file(path)
    assert (list(ring), ring.current) == ([first, second], first)


@pytest.mark.parametrize(
    "text",
    [
        "short",
        base64.b64encode(b"16 bytes long...").decode(),
        base64.b64encode(bytes(33)).decode(),
        "not base64!",
    ],
)
def test_an_unusable_line_is_named(tmp_path: Path, text: str) -> None:
    """With file and line, without the text, and with the remedy."""
    path = tmp_path / "keys"
    path.write_text(f"# ours\n{text}\n")
    with pytest.raises(PayloadKeyError, match=r"line 2 of .*keys is not base64 of 32") as raised:
        read_key_file(path)
    assert text not in str(raised.value)
    assert "clawback keys new" in str(raised.value)


@pytest.mark.parametrize("content", [None, b"", b"# nothing\n", b"\xff\xfe"])
def test_a_file_without_keys_is_named(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, or no text."""
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PayloadKeyError, match=str(path)):
        read_key_file(path)


def test_a_rotation_adds_turns_and_removes(tmp_path: Path) -> None:
    """The current key cannot be removed, nor can one that is not there be used."""
    path = tmp_path / "keys"
    ring = create_key_file(path)
    old, new = ring.current, Key.generate()

    replace_key_file(path, ring.with_key(new))
    assert read_key_file(path).ids == (old.id, new.id)
    replace_key_file(path, read_key_file(path).with_current(new.id))
    assert read_key_file(path).ids == (new.id, old.id)
    with pytest.raises(PayloadKeyError, match="current"):
        read_key_file(path).without(new.id)
    replace_key_file(path, read_key_file(path).without(old.id))
    assert read_key_file(path).ids == (new.id,)
    with pytest.raises(PayloadKeyError, match=f"no key {old.id}"):
        read_key_file(path).with_current(old.id)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_never_shows() -> None:
    """Neither in a repr of a key nor in that of a ring."""
    key = Key.generate()
    assert key.line not in f"{key!r} {KeyRing([key])!r} {[key]}"


@pytest.mark.parametrize(
    ("address", "encryption", "is_refused"),
    [
        ("temporal.example:7233", "on", True),
        ("temporal.example:7233", "migrate", True),
        ("temporal.example:7233", "off", False),
        ("127.0.0.1:7233", "on", False),
    ],
)
def test_a_server_elsewhere_needs_a_key(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    encryption: str,
    is_refused: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """Unless somebody said that it may read everything."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    without = Settings.model_validate({"encryption": encryption})
    if is_refused:
        with pytest.raises(PayloadKeyError, match=r"temporal.example.*CLAWBACK_ENCRYPTION=off"):
            read_keys(without)
    else:
        assert read_keys(without) is None

    ring = create_key_file(tmp_path / "keys")
    keyed = without.model_copy(update={"encryption_key_file": tmp_path / "keys"})
    found = read_keys(keyed)
    assert (found.ids if found else None) == (None if encryption == "off" else ring.ids)


def test_notes_say_when_a_key_was_current(tmp_path: Path) -> None:
    """They survive every change of the file; other comments are nobody's notes."""
    path = tmp_path / "keys"
    old = create_key_file(path).current
    new = Key.generate()
    replace_key_file(path, read_key_file(path).with_key(new))
    assert {id_: note.use for id_, note in read_key_file(path).notes.items()} == {
        old.id: KeyUse.CURRENT,
        new.id: KeyUse.ADDED,
    }
    replace_key_file(path, read_key_file(path).with_current(new.id))
    again = read_key_file(path).with_current(new.id)
    assert {id_: note.use for id_, note in again.notes.items()} == {
        old.id: KeyUse.FORMER,
        new.id: KeyUse.CURRENT,
    }
    replace_key_file(path, again.without(old.id))
    assert set(read_key_file(path).notes) == {new.id}

    path.write_text(f"# {new.id} current until yesterday\n# ours\n{new.line}\n")
    assert read_key_file(path).notes == {}
