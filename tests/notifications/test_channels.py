"""The operator's file of channels: strict, secret, and clear about what is wrong."""

from pathlib import Path

import pytest

from clawback.notifications import ChannelsError, MailChannel, kinds_of, read_channels
from tests.notifications.letters import KEY

GOOD = f"""
[soc]
kind = "slack"
url = "https://hooks.slack.test/services/T0/B0/secret"

[siem]
kind = "webhook"
url = "https://siem.own.test/clawback"
key = "{KEY}"

[desk]
kind = "mail"
host = "smtp.own.test"
user = "clawback"
password = {{env = "DESK_PASSWORD"}}
sender = "Security <security@own.test>"
to = ["soc@own.test"]
"""


def written(folder: Path, text: str) -> Path:
    """Write a file of channels."""
    file = folder / "channels.toml"
    file.write_text(text)
    return file


def test_channels_are_read_and_hide_their_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret may come from the environment; none shows."""
    monkeypatch.setenv("DESK_PASSWORD", "hunter2")
    channels = read_channels(written(tmp_path, GOOD))
    assert kinds_of(channels) == {"soc": "slack", "siem": "webhook", "desk": "mail"}
    desk = channels["desk"]
    assert isinstance(desk, MailChannel)
    assert desk.password is not None
    assert desk.password.get_secret_value() == "hunter2"
    assert not any(secret in repr(channels) for secret in ("hunter2", "B0/secret", KEY))


def test_no_file_is_no_channels() -> None:
    """Nothing needs to be set up."""
    assert read_channels(None) == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "https://hooks",
            "http://hooks",
            "soc.url: it must be https, unless it is on this machine",
        ),
        ("https://hooks", "ftp://hooks", "soc.url: it is not the address of a web page"),
        (KEY, "short", "siem.key: it is not whsec_ and base64"),
        ('"slack"', '"pager"', "soc: Input tag 'pager'"),
        ("smtp.own.test", 'smtp.own.test"\nsecurity = "none', "desk: mail goes out encrypted"),
        ("soc@own.test", "nobody", "desk.to.0: it is not a mail address"),
        (
            "Security <security@own.test>",
            "S <s@own.test>\\nBcc: x@y.test",
            "desk.sender: it is not a mail address",
        ),
        (
            '{env = "DESK_PASSWORD"}',
            '{env = "NOWHERE"}',
            "desk.password: the environment has no NOWHERE",
        ),
        ("[soc]", "[SOC]", "String should match pattern"),
        ("[soc]", "[soc]\nhue = 1", "soc.hue: Extra inputs are not permitted"),
        ("[soc]", "[soc", "it is not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    """File, channel and key; never a value that may be a secret."""
    monkeypatch.setenv("DESK_PASSWORD", "hunter2")
    with pytest.raises(ChannelsError) as raised:
        read_channels(written(tmp_path, GOOD.replace(old, new)))
    assert said in str(raised.value)
    assert "channels.toml" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "B0/secret" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the setting to mend."""
    with pytest.raises(
        ChannelsError, match=r"nowhere\.toml: it cannot be read .* set CLAWBACK_CHANNELS right"
    ):
        read_channels(tmp_path / "nowhere.toml")
