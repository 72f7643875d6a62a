"""The examples of docs/operations/channels.md work as they are."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clawback.notifications import read_channels
from clawback.notifications.channels import CHANNEL_TYPES
from clawback.notifications.channels.webhook import build_body, sign
from docs.tables import DOCS
from tests.notifications.samples import KEY, build_notification

PAGE = (DOCS / "operations" / "channels.md").read_text(encoding="utf-8")
OLD = datetime.fromtimestamp(0, UTC)


def test_every_other_example_of_a_channel_file_is_valid(tmp_path: Path) -> None:
    """Somebody will paste it."""
    examples = re.findall(r"^```toml channels\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert examples
    file = tmp_path / "channels.toml"
    file.write_text("\n".join(examples), encoding="utf-8")
    assert read_channels(file)


def code_block(language: str) -> str:
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(block)


def test_the_example_channel_file_has_one_channel_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new kind must be added to the page."""
    monkeypatch.setenv("TEAMS_WORKFLOW_URL", "https://teams.example.com/workflow")
    monkeypatch.setenv("SIEM_WEBHOOK_KEY", KEY)
    monkeypatch.setenv("SMTP_PASSWORD", "secret")
    file = tmp_path / "channels.toml"
    file.write_text(code_block("toml"), encoding="utf-8")
    channels = read_channels(file).values()
    assert {type(channel) for channel in channels} == set(CHANNEL_TYPES)


@pytest.fixture
def is_genuine() -> Callable[[str, Mapping[str, str], bytes], bool]:
    names: dict[str, Any] = {}
    exec(code_block("python"), names)  # noqa: S102 - the documented example
    function: Callable[[str, Mapping[str, str], bytes], bool] = names["is_genuine"]
    return function


def test_the_example_receiver_accepts_a_genuine_request(
    is_genuine: Callable[[str, Mapping[str, str], bytes], bool],
) -> None:
    """Body, id and time are signed."""
    body = build_body(build_notification())
    assert is_genuine(KEY, sign(body, "id", datetime.now(UTC), KEY), body)


@pytest.mark.parametrize(
    ("received_id", "suffix", "at"),
    [("id", b" ", None), ("another", b"", None), ("id", b"", OLD)],
    ids=["changed body", "changed id", "old"],
)
def test_the_example_receiver_refuses_a_forged_or_old_request(
    is_genuine: Callable[[str, Mapping[str, str], bytes], bool],
    received_id: str,
    suffix: bytes,
    at: datetime | None,
) -> None:
    """The signature covers each of them."""
    body = build_body(build_notification())
    headers = sign(body, "id", at or datetime.now(UTC), KEY)
    assert not is_genuine(KEY, {**headers, "webhook-id": received_id}, body + suffix)
