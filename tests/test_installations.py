"""Several installations on one machine: names, ports, settings."""

import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from clawback.console.access.session_cookie import SessionCookie
from clawback.installations import (
    FIRST_PORT,
    InstallationError,
    enter_installation,
    list_installations,
)
from clawback.telemetry.metric_labels import label_all


def enter(state: Path, name: str, *, creates: bool = True, **said: str) -> dict[str, str]:
    """Enter an installation, and return the environment that it leaves."""
    environment = {"CLAWBACK_STATE": str(state), **said}
    enter_installation(name, environment, creates=creates)
    return environment


def test_each_has_a_folder_and_ports_of_its_own(tmp_path: Path) -> None:
    """The same ones each time, also if another one was made meanwhile."""
    acme, globex = enter(tmp_path, "acme"), enter(tmp_path, "globex")
    ports = "CLAWBACK_TEMPORAL_PORT", "CLAWBACK_CONSOLE", "CLAWBACK_METRICS"
    assert not {acme[port] for port in ports} & {globex[port] for port in ports}
    assert acme["CLAWBACK_TEMPORAL_PORT"] == str(FIRST_PORT + 10)
    assert acme["CLAWBACK_STATE"] == str(tmp_path / "installations" / "acme")
    assert acme["CLAWBACK_DEPLOYMENT"] == "clawback-acme"
    assert enter(tmp_path, "acme", creates=False) == acme
    assert [one.name for one in list_installations(tmp_path)] == ["acme", "globex"]
    assert (tmp_path / "installations" / "acme").stat().st_mode & 0o777 == 0o700


def test_its_file_has_settings_and_the_environment_wins(tmp_path: Path) -> None:
    """Credentials are in the file; values are taken as they stand."""
    enter(tmp_path, "acme")
    file = tmp_path / "installations" / "acme" / "clawback.env"
    file.write_text("# the account\nCLOUDFLARE_ACCOUNT_ID='abc'\nCLAWBACK_MODE=shadow\nX=${HOME}\n")
    said = enter(tmp_path, "acme", creates=False, CLAWBACK_MODE="approve")
    assert said["CLOUDFLARE_ACCOUNT_ID"] == "abc"
    assert said["CLAWBACK_MODE"] == "approve"
    assert said["X"] == "${HOME}"
    file.write_text("CLAWBACK_MODE\n")
    with pytest.raises(InstallationError, match="`CLAWBACK_MODE` is no NAME=VALUE"):
        enter(tmp_path, "acme", creates=False)


@pytest.mark.parametrize("name", ["", "Acme", "../acme", "a" * 33, "-a", "a-", "a/b", "a b"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    """It becomes a folder, a label and a part of names."""
    with pytest.raises(InstallationError, match="is no name of an installation"):
        enter(tmp_path, name)
    assert not (tmp_path / "installations").exists()


def test_a_name_that_is_not_there_says_which_are(tmp_path: Path) -> None:
    """Only `up` makes one: a typing error of another command makes nothing."""
    enter(tmp_path, "acme")
    with pytest.raises(InstallationError, match=r"no installation `acne` .*there are: acme"):
        enter(tmp_path, "acne", creates=False)
    assert [one.name for one in list_installations(tmp_path)] == ["acme"]


def test_entering_twice_is_entering_once(tmp_path: Path) -> None:
    """A child process inherits the environment, and may be told the name again."""
    once = enter(tmp_path, "acme")
    twice = dict(once)
    enter_installation("acme", twice)
    assert twice == once


def test_what_is_no_installation_is_left_out(tmp_path: Path) -> None:
    """A damaged number does not stop the others."""
    enter(tmp_path, "acme")
    for name, content in (("a", "{"), ("b", json.dumps({"number": "x"})), ("C", '{"number": 3}')):
        folder = tmp_path / "installations" / name
        folder.mkdir()
        (folder / "installation.json").write_text(content)
    assert [one.name for one in list_installations(tmp_path)] == ["acme"]


def test_consoles_of_one_machine_keep_their_sessions_apart() -> None:
    """Cookies know no ports, so two consoles of a host have cookies of different names."""
    names = {SessionCookie([b"s" * 32], is_secure=False, name=one).name for one in ("", "a", "b")}
    assert len(names) == 3


def test_every_metric_has_the_name_of_the_installation() -> None:
    """Labels that a sample has stay, and without a name nothing changes."""
    registry = CollectorRegistry()
    Counter("clawback_seen", "Seen.", ["source"], registry=registry).labels("message").inc()
    page = generate_latest(label_all(registry, {"installation": "acme"})).decode()
    assert 'clawback_seen_total{installation="acme",source="message"} 1.0' in page
    assert label_all(registry, {}) is registry
