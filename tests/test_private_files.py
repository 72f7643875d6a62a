"""Nobody else on the machine can read what clawback writes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawback.private_files import find_exposed, hide, hide_new_files, private_paths


@pytest.fixture(autouse=True)
def widest_mask() -> Iterator[None]:
    """Lets files be created with any mode, and restores the mask of the tests."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """The modes of a folder and of everything below it."""
    found = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): oct(path.lstat().st_mode & 0o777) for path in found}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder as it would be without a mask, with an audit file elsewhere."""
    folder = tmp_path / "state"
    (folder / "logs").mkdir(parents=True)
    for name in ("temporal.db", "temporal.db-wal", "logs/worker.log", "logs/worker.log.1"):
        (folder / name).touch(0o666)
    for name in ("audit[1].jsonl", "audit[1].jsonl.lock", "audit[1].jsonl.000000000009"):
        (tmp_path / name).touch(0o644)
    (tmp_path / "audit1.jsonl").touch(0o644)
    return folder


def paths(state: Path) -> list[Path]:
    """What belongs to that state folder."""
    return list(private_paths((state, state / "logs"), state.parent / "audit[1].jsonl"))


def test_an_existing_folder_is_repaired(state: Path) -> None:
    """Folders become 0700, files 0600, the audit's too, and nothing beside them changes."""
    assert len(hide(paths(state))) == 9
    assert set(modes(state).items()) == {
        (".", "0o700"),
        ("logs", "0o700"),
        ("temporal.db", "0o600"),
        ("temporal.db-wal", "0o600"),
        ("logs/worker.log", "0o600"),
        ("logs/worker.log.1", "0o600"),
    }
    beside = {name: mode for name, mode in modes(state.parent).items() if name.startswith("audit")}
    assert beside.pop("audit1.jsonl") == "0o644"
    assert set(beside.values()) == {"0o600"}
    assert hide(paths(state)) == find_exposed(paths(state)) == []


def test_links_and_shared_folders_stay(state: Path) -> None:
    """A link is not followed, and a folder like /tmp stays open to everybody."""
    (outside := state.parent / "outside").touch(0o644)
    (state / "link").symlink_to(outside)
    state.chmod(0o1777)
    hide(paths(state))
    assert oct(outside.stat().st_mode & 0o777) == "0o644"
    assert oct(state.stat().st_mode & 0o7777) == "0o1777"
    assert find_exposed(paths(state)) == [state]


def test_new_files_are_private(tmp_path: Path) -> None:
    """After the mask is set, nothing that is created is readable by others."""
    hide_new_files()
    (tmp_path / "new" / "inner").mkdir(parents=True)
    (tmp_path / "new" / "inner" / "file").touch()
    assert set(modes(tmp_path / "new").values()) == {"0o700", "0o600"}


def test_what_is_not_there_is_no_problem(tmp_path: Path) -> None:
    """Before the first start there is nothing to repair."""
    assert hide(private_paths((tmp_path / "a", tmp_path / "a/logs"), tmp_path / "b/c")) == []
