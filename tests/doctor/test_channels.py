"""The check of channels: configured, named by rules, reachable."""

from pathlib import Path

import pytest

from clawback.doctor.channel_checks import check_channels
from clawback.doctor.check import CheckStatus
from clawback.doctor.delivery_checks import send_test
from tests.notifications.receivers import web_receiver
from tests.rules.folders import responding, write

TELLS = "response: {mode: enforce, actions: [{notify: {channel: soc}}]}"


def folder(tmp_path: Path) -> Path:
    """Write a folder with one rule that notifies."""
    write(
        tmp_path,
        {
            "a_rule.yml": responding(
                "sel: {from: a@x.test}\ncondition: sel", response=TELLS, tests=TESTS
            )
        },
    )
    return tmp_path


TESTS = """tests:
  - {name: one, event: {from: a@x.test}, expect: match}
  - {name: two, event: {}, expect: no match}"""


async def test_an_unknown_channel_is_a_problem(tmp_path: Path) -> None:
    """With the place in the rule and the remedy."""
    first, second = await check_channels(None, folder(tmp_path))
    assert first.status is CheckStatus.PROBLEM
    assert "a_rule.yml:9:" in first.found
    assert "unknown channel soc" in first.found
    assert "CLAWBACK_CHANNELS" in str(first.remedy)
    assert second.status is CheckStatus.OK


@pytest.mark.parametrize("listens", [True, False])
async def test_a_channel_is_connected_to_and_nothing_is_sent(
    tmp_path: Path, *, listens: bool
) -> None:
    """An unreachable channel and a file readable by others are warnings without secrets."""
    with web_receiver() as receiver:
        file = tmp_path / "channels.toml"
        port = receiver.url.split(":")[2].split("/")[0] if listens else "1"
        file.write_text(f'[soc]\nkind = "slack"\nurl = "http://127.0.0.1:{port}/secret-path"\n')
        file.chmod(0o600 if listens else 0o644)
        findings = list(await check_channels(file, folder(tmp_path)))
    assert {one.status for one in findings} == {CheckStatus.OK if listens else CheckStatus.WARNING}
    assert len(findings) == (1 if listens else 2)
    assert "secret-path" not in str(findings)
    assert receiver.requests == []


async def test_a_file_that_cannot_be_used_is_a_problem(tmp_path: Path) -> None:
    """A worker would not start with it."""
    (finding,) = await check_channels(tmp_path / "nowhere.toml", folder(tmp_path))
    assert finding.status is CheckStatus.PROBLEM


async def test_a_test_message_arrives_and_says_that_it_is_one(tmp_path: Path) -> None:
    """Through the channel of the file, as a notification would."""
    file = tmp_path / "channels.toml"
    with web_receiver() as receiver:
        file.write_text(f'[soc]\nkind = "slack"\nurl = "{receiver.url}"\n')
        finding = await send_test(file, "soc")
    assert finding.status is CheckStatus.OK
    assert "accepted the test" in finding.found
    (body,) = receiver.accepted
    assert "This is a test of the channel soc" in str(body["blocks"])


async def test_a_test_message_that_is_refused_says_why_without_the_address(tmp_path: Path) -> None:
    """The path of a webhook is a secret."""
    file = tmp_path / "channels.toml"
    with web_receiver(403) as receiver:
        file.write_text(f'[soc]\nkind = "slack"\nurl = "{receiver.url}"\n')
        finding = await send_test(file, "soc")
        unknown = await send_test(file, "sox")
    assert finding.status is unknown.status is CheckStatus.PROBLEM
    assert finding.found == "slack: the test was not delivered: status 403"
    assert "secret-path" not in str(finding)
    assert unknown.remedy == "did you mean 'soc'?"
    assert "CLAWBACK_CHANNELS" in str((await send_test(None, "soc")).remedy)
