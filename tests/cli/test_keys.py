"""`clawback keys`: the steps of a rotation, what each refuses, and a wrong key in a command."""

import asyncio
import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from clawback.cli.exits import ExitCode
from clawback.temporal.data_converter import data_converter
from clawback.temporal.key_needs import RESTART_TIME
from clawback.temporal.key_ring import Key, create_key_file, read_key_file
from tests.cli.command import clawback, sentence
from tests.waiting import eventually
from tests.workflows.deployment import keeper_of


def test_keys_are_rotated_in_a_file(tmp_path: Path) -> None:
    """Create, add, make current, remove; the keys themselves never show."""
    path = tmp_path / "keys"
    set_ = {"CLAWBACK_ENCRYPTION_KEY_FILE": str(path)}
    said = [clawback("keys", "new", str(path)).stdout]
    old = read_key_file(path).current

    said.append(clawback("keys", "add", **set_).stdout)
    (_, new) = read_key_file(path)
    said.append(clawback("keys", "use", new.id, **set_).stdout)
    listed = clawback("keys", "list", "--json", **set_).stdout
    assert json.loads(listed) == [
        {"id": new.id, "current": True},
        {"id": old.id, "current": False},
    ]
    said.append(clawback("keys", "list", **set_).stdout)
    said.append(clawback("keys", "remove", old.id, "--force", **set_).stdout)
    assert list(read_key_file(path)) == [new]
    assert not any(key.line in text for key in (old, new) for text in said)
    assert f"{new.id} (current)" in said[3]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["list"], ExitCode.NO, "no key is set; create a file with `clawback keys new FILE`"),
        (["add"], ExitCode.USAGE, "no key file is set"),
        (["new", "keys"], ExitCode.USAGE, "keys exists; `clawback keys add --file keys`"),
        (["use", "1234", "--file", "keys"], ExitCode.USAGE, "has no key 1234"),
        (["list", "--file", "none"], ExitCode.USAGE, "cannot read the key file none"),
    ],
)
def test_a_refusal_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, text: str
) -> None:
    """In one sentence, with an exit code."""
    monkeypatch.chdir(tmp_path)
    create_key_file(tmp_path / "keys")
    done = clawback("keys", *words)
    assert done.returncode == code
    assert text in sentence(done)


async def test_a_key_is_kept_while_a_run_from_its_time_is(temporal: Client, tmp_path: Path) -> None:
    """Removed once every run began after the rotation, or was deleted; a new key at any time."""
    path = tmp_path / "keys"
    old = create_key_file(path).current
    set_ = {
        "CLAWBACK_ENCRYPTION_KEY_FILE": str(path),
        "TEMPORAL_ADDRESS": temporal.service_client.config.target_host,
    }
    config = temporal.config()
    config["data_converter"] = data_converter(read_key_file(path))
    await keeper_of(Client(**config)).open()

    async def run(*words: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(clawback, "keys", *words, **set_)

    await run("add")
    unused = read_key_file(path).ids[1]
    assert (await run("remove", unused)).returncode == ExitCode.OK
    await run("add")
    new = read_key_file(path).ids[1]
    await run("use", new)

    async def is_refused() -> bool | None:
        done = await run("remove", old.id)
        # The index may not know the run yet.
        return f"key {old.id} is needed by 1 open workflow (guard)" in done.stderr or None

    # A worker may have used it until it was restarted: whatever began within the hour counts.
    rotated = read_key_file(path).notes[old.id].at
    assert await eventually(is_refused)
    text = path.read_text()
    before = f"{rotated - RESTART_TIME - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    path.write_text(
        text.replace(
            f"{old.id} current until {rotated:%Y-%m-%dT%H:%M:%SZ}",
            f"{old.id} current until {before}",
        )
    )
    assert (await run("remove", old.id)).returncode == ExitCode.OK
    assert read_key_file(path).ids == (new,)


async def test_a_key_of_unknown_age_is_kept(temporal: Client, tmp_path: Path) -> None:
    """A file that something else has written does not say when a key was current."""
    path = tmp_path / "keys"
    keys = [Key.generate(), Key.generate()]
    path.write_text("".join(f"{key.line}\n" for key in keys))
    set_ = {
        "CLAWBACK_ENCRYPTION_KEY_FILE": str(path),
        "TEMPORAL_ADDRESS": temporal.service_client.config.target_host,
    }
    remove = ("keys", "remove", keys[1].id)
    config = temporal.config()
    config["data_converter"] = data_converter(read_key_file(path))
    await keeper_of(Client(**config)).open()

    async def is_refused() -> bool | None:
        done = await asyncio.to_thread(clawback, *remove, **set_)
        return "may be needed by 1 open workflow (guard)" in done.stderr or None

    assert await eventually(is_refused)
    forced = await asyncio.to_thread(clawback, *remove, "--force", **set_)
    assert forced.returncode == ExitCode.OK


async def test_a_command_with_another_key_says_so(temporal: Client, tmp_path: Path) -> None:
    """One sentence and an exit code, instead of a case that nobody can read."""
    config = temporal.config()
    config["data_converter"] = data_converter(create_key_file(tmp_path / "keys"))
    await keeper_of(Client(**config)).open()
    create_key_file(tmp_path / "others")
    for keys in ({}, {"CLAWBACK_ENCRYPTION_KEY_FILE": str(tmp_path / "others")}):
        done = await asyncio.to_thread(
            clawback,
            "case",
            "list",
            TEMPORAL_ADDRESS=temporal.service_client.config.target_host,
            **keys,
        )
        assert done.returncode == ExitCode.USAGE
        assert "set CLAWBACK_ENCRYPTION_KEY_FILE" in sentence(done)
