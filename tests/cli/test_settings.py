"""Settings: read from the environment, refused by name, documented."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from clawback.model.mode import Mode
from clawback.settings import Settings, SettingsError, load_settings, variable

KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts each test without any setting."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


def test_every_setting_is_described() -> None:
    """Each setting says what it is."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CLAWBACK_INTERVAL", "5x", "CLAWBACK_INTERVAL: '5x' is not a duration"),
        (
            "CLAWBACK_MODE",
            "enforced",
            "CLAWBACK_MODE: must be one of shadow, approve or enforce; did you mean enforce?",
        ),
        ("CLAWBACK_AGE_LIMIT", "of", "CLAWBACK_AGE_LIMIT: 'of' is not a duration"),
        (
            "CLAWBACK_PAGE_SIZE",
            "5000",
            "CLAWBACK_PAGE_SIZE: must be at most 1,000",
        ),
        (
            "CLAWBACK_ENCRYPTION_KEY",
            "c2hvcnQ=",
            "CLAWBACK_ENCRYPTION_KEY: it is not base64 of 32 bytes",
        ),
        (
            "CLAWBACK_ENCRYPTION_KEY",
            "n0t base64",
            "CLAWBACK_ENCRYPTION_KEY: it is not base64 of 32 bytes",
        ),
        (
            "CLAWBACK_METRIX",
            "x",
            "CLAWBACK_METRIX: unknown setting; did you mean CLAWBACK_METRICS?",
        ),
        ("CLAWBACK_QQQQQ", "x", "CLAWBACK_QQQQQ: unknown setting"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    """A setting that cannot be used is named with what it takes."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith(says)


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several wrong settings are all named in one go."""
    monkeypatch.setenv("CLAWBACK_MODE", "x")
    monkeypatch.setenv("CLAWBACK_MODES", "x")
    with pytest.raises(SettingsError, match=r"CLAWBACK_MODES: .*; CLAWBACK_MODE: "):
        load_settings()


@pytest.mark.parametrize(
    ("value", "means"), [("off", "off"), ("72h", timedelta(hours=72)), ("", None)]
)
def test_the_age_limit_has_three_states(
    monkeypatch: pytest.MonkeyPatch, value: str, means: object
) -> None:
    """The age limit is off, a duration, or left to safety.yml.

    An empty variable counts as unset.
    """
    monkeypatch.setenv("CLAWBACK_AGE_LIMIT", value)
    assert load_settings().age_limit == means


def test_first_contact_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against Cloudflare the ceiling is shadow, against a simulator enforce, unless it is set."""
    assert load_settings().ceiling is Mode.SHADOW
    monkeypatch.setenv("CLAWBACK_API_URL", "http://127.0.0.1:8343/client/v4")
    assert load_settings().ceiling is Mode.ENFORCE
    monkeypatch.setenv("CLAWBACK_MODE", "approve")
    assert load_settings().ceiling is Mode.APPROVE


@pytest.mark.parametrize(
    "url",
    [
        "https://api.cloudflare.com/client/v4",
        "https://127.0.0.1.evil.test/",
        "https://localhost.evil.test",
    ],
)
def test_only_this_machine_is_a_simulator(url: str) -> None:
    """A host that only looks like this machine is not taken for a simulator."""
    assert not Settings(api_url=url).on_simulator


@pytest.mark.parametrize(
    "url",
    [
        "http://api.cloudflare.com/client/v4",
        "http://127.0.0.1.evil.test/",
        "http://127.0.0.1@evil.test/",
        "http://0.0.0.0:8343",
        "ftp://127.0.0.1/",
        "https://",
        "api.cloudflare.com",
        "http://[::1",
    ],
)
def test_the_token_goes_nowhere_in_clear(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """An API of another machine must be https, and the error says what is allowed."""
    monkeypatch.setenv("CLAWBACK_API_URL", url)
    with pytest.raises(SettingsError, match=r"^CLAWBACK_API_URL: expected an https"):
        load_settings()


@pytest.mark.parametrize(
    "url", ["https://gateway.test/v4", "HTTPS://x.test", "http://localhost:1", "http://[::1]:8343/"]
)
def test_https_and_this_machine_are_allowed(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A gateway over https, and a simulator on this machine."""
    monkeypatch.setenv("CLAWBACK_API_URL", url)
    assert load_settings().api_url == url


def test_secrets_do_not_show() -> None:
    """Neither the token nor the key appears in a repr."""
    settings = Settings.model_validate({"cloudflare_api_token": "t0ken", "encryption_key": KEY})
    assert "t0ken" not in repr(settings)
    assert KEY not in repr(settings)


def test_a_demo_and_the_real_account_never_mix() -> None:
    """Without a token everything is kept in a folder of its own.

    The audit may be set to be anywhere.
    """
    assert Settings(state=Path("s")).audit_file == Path("s/simulator/audit.jsonl")
    real = Settings.model_validate({"state": "s", "cloudflare_api_token": "t0ken"})
    assert real.audit_file == Path("s/audit.jsonl")
    assert Settings(state=Path("s"), audit=Path("a.jsonl")).audit_file == Path("a.jsonl")
