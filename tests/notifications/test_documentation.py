"""What docs/operations.md tells operators and receivers to write works as it stands there."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clawback.notifications import kinds_of, read_channels
from clawback.notifications.webhook import sign_webhook, webhook_body
from tests.notifications.letters import KEY, letter

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_example_of_channels_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each kind."""
    monkeypatch.setenv("TEAMS_WORKFLOW_URL", "https://teams.example.com/workflow")
    monkeypatch.setenv("SIEM_WEBHOOK_KEY", KEY)
    monkeypatch.setenv("SMTP_PASSWORD", "secret")
    file = tmp_path / "channels.toml"
    file.write_text(_block("toml"), encoding="utf-8")
    assert kinds_of(read_channels(file)) == {
        "soc": "slack",
        "it": "teams",
        "siem": "webhook",
        "helpdesk": "mail",
    }


def test_the_example_of_a_receiver_tells_genuine_from_forged() -> None:
    """The body, the id and the time are signed; what is old is refused."""
    names: dict[str, Any] = {}
    exec(_block("python"), names)  # noqa: S102 - the documented example
    is_genuine: Callable[..., bool] = names["is_genuine"]
    body, now = webhook_body(letter()), datetime.now(UTC)
    headers = sign_webhook(body, "id", now, KEY)
    assert is_genuine(KEY, headers, body)
    assert not is_genuine(KEY, headers, body + b" ")
    assert not is_genuine(KEY, {**headers, "webhook-id": "another"}, body)
    assert not is_genuine(
        KEY, {**sign_webhook(body, "id", datetime.fromtimestamp(0, UTC), KEY)}, body
    )
