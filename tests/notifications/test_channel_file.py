"""The channel file is checked strictly, and its errors name the place without the secret."""

from pathlib import Path

import pytest

from clawback.actions import ChannelTraits
from clawback.notifications import ChannelFileError, Channels, read_channels, traits_of
from clawback.notifications.channels.mail import MailChannel
from tests.notifications.samples import KEY

VALID = f"""
[soc]
kind = "slack"
url = "https://hooks.slack.test/services/T0/B0/secret"

[siem]
kind = "webhook"
url = "https://siem.own.test/clawback"
key = "{KEY}"

[mail]
kind = "mail"
host = "smtp.own.test"
user = "clawback"
password = {{env = "MAIL_PASSWORD"}}
sender = "Security <security@own.test>"
to = ["soc@own.test"]
"""


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2")


def read(folder: Path, text: str) -> Channels:
    file = folder / "channels.toml"
    file.write_text(text)
    return read_channels(file)


def test_rules_see_what_a_channel_supports(tmp_path: Path) -> None:
    """They need neither addresses nor secrets."""
    assert traits_of(read(tmp_path, VALID)) == {
        "soc": ChannelTraits(kind="slack"),
        "siem": ChannelTraits(kind="webhook", supports_screenshots=True),
        "mail": ChannelTraits(kind="mail", supports_screenshots=True, supports_reporters=True),
    }


def test_a_secret_may_come_from_the_environment(tmp_path: Path) -> None:
    """Then the file holds none."""
    mail = read(tmp_path, VALID)["mail"]
    assert isinstance(mail, MailChannel)
    assert mail.password is not None
    assert mail.password.get_secret_value() == "hunter2"


def test_no_secret_appears_in_a_repr(tmp_path: Path) -> None:
    """A traceback or a log may print the channels."""
    channels = read(tmp_path, VALID)
    assert not any(secret in repr(channels) for secret in ("hunter2", "B0/secret", KEY))


def test_without_a_file_there_are_no_channels() -> None:
    """Notifications are optional."""
    assert read_channels(None) == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("https://hooks", "http://hooks", "soc.url: expected https; http is allowed for loopback"),
        ("https://hooks", "ftp://hooks", "soc.url: expected a URL"),
        (KEY, "short", "siem.key: expected whsec_ and base64"),
        ('"slack"', '"pager"', "soc.kind: must be one of "),
        ("smtp.own.test", 'smtp.own.test"\nsecurity = "none', 'mail: security = "none" is allowed'),
        ('user = "clawback"', "", "mail: user and password must be given together"),
        ("soc@own.test", "nobody", "mail.to.0: expected a mail address"),
        (
            "Security <security@own.test>",
            "S <s@own.test>\\nBcc: x@y.test",
            "mail.sender: expected a mail address",
        ),
        (
            '{env = "MAIL_PASSWORD"}',
            '{env = "NOWHERE"}',
            "mail.password: environment variable NOWHERE is not set",
        ),
        ('{env = "MAIL_PASSWORD"}', "{env = 'A', or = 'B'}", "mail.password: expected the secret"),
        ("[soc]", "[SOC]", "SOC: must be the name of a channel"),
        (
            "[soc]",
            "[soc]\nhue = 1",
            "soc.hue: there is no such key here; use one of kind, occasions",
        ),
        ("[soc]", "[soc", "invalid TOML"),
        ("[soc]", "[soc]\nescalate_to = 'mail'", "soc: escalate_to and escalate_after must be"),
        (
            "[soc]",
            "[soc]\nescalate_to = 'mial'\nescalate_after = '15m'",
            "soc.escalate_to: there is no channel mial; did you mean 'mail'?",
        ),
        (
            "[soc]",
            "[soc]\nescalate_to = 'soc'\nescalate_after = '15m'",
            "soc.escalate_to: it leads in a circle, from soc to soc",
        ),
        (
            "[soc]",
            "[soc]\nescalate_to = 'siem'\nescalate_after = '15'",
            "soc.escalate_after: '15' is not a duration",
        ),
        (
            "[soc]",
            "[soc]\nquiet_hours = {from = '22:00', to = '07:00', zone = 'Mars'}",
            "expected an IANA time zone, such as Europe/Berlin",
        ),
        (
            "[soc]",
            "[soc]\nquiet_hours = {from = 22, to = '07:00', zone = 'UTC'}",
            "expected a time of day, such as 22:00",
        ),
        (
            "[soc]",
            "[soc]\nquiet_hours = {from = '22:00Z', to = '07:00', zone = 'UTC'}",
            "expected a time of day without a zone",
        ),
        (
            "[soc]",
            "[soc]\nquiet_hours = {from = '00:00', to = '00:00', zone = 'UTC'}",
            "these quiet hours never end",
        ),
        (
            "[soc]",
            "[soc]\nquiet_hours = {from = '22:00', to = '07:00'}",
            "soc.quiet_hours.zone: zone of quiet_hours is missing",
        ),
        (
            "[soc]",
            "[soc]\nquiet_hours = {form = '22:00', to = '07:00', zone = 'UTC'}",
            "soc.quiet_hours.form: there is no such key here; did you mean 'from'?",
        ),
        ("[soc]", "[soc]\noccasions = ['held']", "soc.occasions.0: must be one of "),
    ],
)
def test_an_error_names_file_channel_and_key_but_no_secret(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    """Any value may be a secret."""
    with pytest.raises(ChannelFileError) as raised:
        read(tmp_path, VALID.replace(old, new))
    message = str(raised.value)
    assert expected in message
    assert "channels.toml" in message
    assert "hunter2" not in message
    assert "B0/secret" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """So is the setting to correct."""
    with pytest.raises(
        ChannelFileError, match=r"nowhere\.toml: cannot be read .* check CLAWBACK_CHANNELS"
    ):
        read_channels(tmp_path / "nowhere.toml")
