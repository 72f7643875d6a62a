"""The key file of an embedded installation: made once, and found by every command."""

from pathlib import Path
from typing import Any

import pytest

from clawback.local import lock_state
from clawback.settings import Settings
from clawback.temporal.installation_keys import is_in_use, key_file, make_keys
from clawback.temporal.key_ring import Key, create_key_file, read_key_file


@pytest.fixture(autouse=True)
def no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor a profile of whoever runs the tests names a server."""
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "none.toml"))


def settings_of(state: Path, **given: Any) -> Settings:
    """Settings of an account, in a state folder that exists."""
    settings = Settings(state=state, **{"cloudflare_api_token": "t0ken-t0ken", **given})
    settings.folder.mkdir(parents=True, exist_ok=True)
    return settings


def test_a_key_is_made_before_the_first_start_only(tmp_path: Path) -> None:
    """Once, for its user alone; the next start says nothing."""
    settings = settings_of(tmp_path)
    database = tmp_path / "temporal.db"
    said = make_keys(settings, database)
    (key,) = read_key_file(tmp_path / "keys")
    assert said is not None
    assert key.id in said
    assert key.line not in said
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600

    database.touch()
    assert make_keys(settings, database) is None
    assert list(read_key_file(tmp_path / "keys")) == [key]


def test_an_older_database_stays_readable(tmp_path: Path) -> None:
    """Without a key it goes on as it began, and says how to change that."""
    database = tmp_path / "temporal.db"
    database.touch()
    said = make_keys(settings_of(tmp_path), database)
    assert said is not None
    assert "CLAWBACK_ENCRYPTION=migrate" in said
    assert key_file(settings_of(tmp_path)) is None

    migrating = settings_of(tmp_path, encryption="migrate")
    assert make_keys(migrating, database) is not None
    assert key_file(migrating) == tmp_path / "keys"


@pytest.mark.parametrize(
    "given",
    [
        {"encryption": "off"},
        {"encryption_key": Key(bytes(32)).line},
        {"encryption_key_file": "elsewhere"},
    ],
    ids=["off", "key", "file"],
)
def test_keys_of_ones_own_come_first(tmp_path: Path, given: dict[str, str]) -> None:
    """Nothing is made beside them, and a file that is there is not taken for them."""
    settings = settings_of(tmp_path, **given)
    assert make_keys(settings, tmp_path / "temporal.db") is None
    assert not (tmp_path / "keys").exists()
    create_key_file(tmp_path / "keys")
    assert key_file(settings) != tmp_path / "keys"


def test_a_named_server_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the embedded server is never used for another one."""
    create_key_file(tmp_path / "keys")
    assert key_file(settings_of(tmp_path)) == tmp_path / "keys"
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:7233")
    assert key_file(settings_of(tmp_path)) is None


def test_a_command_without_a_token_means_what_runs(tmp_path: Path) -> None:
    """The demo and the account have keys of their own; with a token there is no doubt."""
    account, demo = tmp_path, tmp_path / "simulator"
    command = settings_of(tmp_path, cloudflare_api_token=None)
    create_key_file(account / "keys")
    assert key_file(command) == account / "keys"

    create_key_file(demo / "keys")
    assert key_file(command) == demo / "keys"
    with lock_state(account):
        assert (is_in_use(account), is_in_use(demo)) == (True, False)
        assert key_file(command) == account / "keys"
    with lock_state(demo):
        assert key_file(command) == demo / "keys"
        assert key_file(settings_of(tmp_path)) == account / "keys"
    assert not is_in_use(account)
