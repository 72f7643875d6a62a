"""The line `secrets` of the doctor: every file of a secret that settings and channels name."""

from pathlib import Path
from typing import Any

import pytest

from clawback.doctor.check import CheckStatus, Finding
from clawback.doctor.secret_checks import check_secrets
from clawback.settings import Settings
from clawback.temporal.key_ring import Key
from tests.certificates import issue


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file that only its user can read, unless told otherwise."""
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that name a good file for every secret."""
    issued = issue(tmp_path, "client")
    issued.files[0].chmod(0o644)
    issued.files[1].chmod(0o600)
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(issued.files[0]))
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", str(issued.files[1]))
    write(tmp_path / "url", "https://hooks.example.test/x")
    channels = f'[soc]\nkind = "slack"\nurl = {{file = "{tmp_path}/url"}}\n'
    files = {
        f"{name}_file": write(tmp_path / name, "hunter2")
        for name in (
            "cloudflare_api_token",
            "audit_collector_token",
            "identity_client_secret",
            "temporal_api_key",
        )
    }
    named: dict[str, Any] = {
        **files,
        "encryption_key_file": write(tmp_path / "keys", Key.generate().line),
        "channels": write(tmp_path / "channels.toml", channels),
    }
    return Settings(**named)


def check(settings: Settings) -> list[Finding]:
    """The findings, none of which may quote a secret."""
    found = list(check_secrets(settings))
    assert "hunter2" not in str(found)
    return found


def test_without_files_there_is_nothing_to_read() -> None:
    """Secrets of the environment are read once."""
    (finding,) = check(Settings())
    assert (finding.status, finding.found) == (CheckStatus.OK, "none is in a file")


def test_every_secret_that_is_read_from_a_file_is_named(configured: Settings) -> None:
    """A certificate is public: others may read it, unlike its key."""
    (finding,) = check(configured)
    assert finding.status is CheckStatus.OK
    assert finding.found == (
        "read from files, and again when they change: api token, channel, client secret, "
        "collector token, encryption keys, temporal api key, temporal certificates, "
        "temporal tls key"
    )


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("cloudflare_api_token", "", "the api token in {} cannot be used: it is empty"),
        ("temporal_api_key", "a\nb", "the temporal api key in {} cannot be used: it has more than"),
        ("client.key", "x", "the temporal tls key in {} cannot be used: it holds no private key"),
        ("client.pem", "x", "certificates in {} cannot be used: it holds no certificate in PEM"),
        ("keys", "x", "{}"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_problem(
    configured: Settings, tmp_path: Path, file: str, text: str, found: str
) -> None:
    """With its path, the reason and a remedy."""
    write(tmp_path / file, text)
    (finding,) = check(configured)
    assert finding.status is CheckStatus.PROBLEM
    assert found.format(tmp_path / file) in finding.found
    assert finding.remedy


@pytest.mark.parametrize("file", ["identity_client_secret", "keys", "url", "client.key"])
def test_a_file_that_others_can_read_is_a_warning(
    configured: Settings, tmp_path: Path, file: str
) -> None:
    """With the command that closes it."""
    (tmp_path / file).chmod(0o644)
    (finding,) = check(configured)
    assert finding.status is CheckStatus.WARNING
    assert f"chmod go= {tmp_path / file}" in str(finding.remedy)
