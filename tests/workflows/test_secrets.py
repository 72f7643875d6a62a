"""Secrets that are rotated while workers run: no act fails, and nothing is restarted."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs
from temporalio.client import Client

from clawback.actions import Move, Notify
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.notifications.channel_file import parse_channels
from clawback.secret_files import FileSecret, SecretName
from clawback.services.secret_watcher import SecretWatcher
from clawback.simulator import Simulator, SimulatorOptions, TokenScope, outbreak
from clawback.telemetry import metrics
from tests.notifications.receivers import web_receiver
from tests.notifications.samples import KEY
from tests.telemetry.log_capture import captured_logs
from tests.waiting import until
from tests.workflows.deployment import Deployment, deployed, match_of

AT_ONCE = CaseTiming(linger=timedelta())


def plan(number: int, **changes: Any) -> CasePlan:
    """A case that moves the mail of one sender."""
    return CasePlan(
        **{
            "rule": "r",
            "version": "v1",
            "mode": Mode.ENFORCE,
            "group": {"from": f"s{number}@bad.test"},
            "actions": (Move(destination=Destination.RECOVERABLE),),
            **changes,
        }
    )


async def test_a_token_is_rotated_while_the_worker_acts(temporal: Client, tmp_path: Path) -> None:
    """The old one is revoked at the moment the new one is there: the next request takes that.

    Also where the file system shows no change. No request is refused for good, no outcome failed.
    """
    tokens = {"first-token": TokenScope.WRITE}
    simulator = Simulator(replace(SimulatorOptions(), tokens=tokens))
    (file := tmp_path / "token").write_text("first-token\n")
    options: dict[str, Any] = {"cloudflare_api_token_file": file, "cloudflare_account_id": "a" * 32}
    async with deployed(temporal, simulator, tmp_path / "state", **options) as deployment:
        for number, token in enumerate(("first-token", "second-token", "third-token-longer")):
            tokens.clear()
            tokens[token] = TokenScope.WRITE
            file.write_text(token + "\n")
            lines = list(outbreak(2, number, sender=f"s{number}@bad.test"))
            simulator.add(lines)
            told = plan(number)
            await deployment.signal_case(told, *map(match_of, lines), pace=AT_ONCE)
            outcomes = await deployment.settled(told.case_id, CaseState.CLOSED)
            assert set(outcomes.values()) == {"moved"}
        assert len(deployment.ledger) == 6


async def test_no_secret_is_in_histories_logs_or_audit(temporal: Client, tmp_path: Path) -> None:
    """Where everything that carries one is refused: the move, the webhook and the chat.

    At the level debug, and without encryption, which would hide what is in a history.
    """
    token = "t0ken-that-nobody-knows"
    options: dict[str, Any] = {"cloudflare_api_token": token, "cloudflare_account_id": "a" * 32}
    simulator = Simulator(replace(SimulatorOptions(), tokens={"another": TokenScope.WRITE}))
    simulator.add(lines := list(outbreak(2, sender="s0@bad.test")))
    notify = (Notify(channel="soc"), Notify(channel="chat"))
    moves, tells = plan(0), plan(0, rule="tells", actions=(), notifications=notify)
    with web_receiver(*[404] * 9) as web, captured_logs(level="debug") as logs:
        channels = parse_channels(
            {
                "soc": {"kind": "webhook", "url": web.url, "key": KEY},
                "chat": {"kind": "slack", "url": web.url},
            }
        )
        async with deployed(
            temporal, simulator, tmp_path / "state", channels, **options
        ) as deployment:
            for told in (moves, tells):
                await deployment.signal_case(told, *map(match_of, lines), pace=AT_ONCE)
            await until(lambda: "Unauthenticated (401" in logs.getvalue())
            await until(lambda: _count_notified(deployment) == len(notify))
            assert len(web.requests) == len(notify)
            histories = await _read_histories(temporal)
        audit = deployment.settings.audit_file.read_text()

    assert "s0@bad.test" in histories
    for secret in (token, KEY, "secret-path"):
        assert not any(secret in text for text in (histories, logs.getvalue(), audit))


def _count_notified(deployment: Deployment) -> int:
    return sum(one.kind is RecordKind.NOTIFIED for one in deployment.audit())


async def _read_histories(client: Client) -> str:
    """The events of every workflow of a namespace, in which payloads are as they were sent."""
    events = [
        event.SerializeToString()
        async for one in client.list_workflows()
        for event in (
            await client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()
        ).events
    ]
    assert not any(b"binary/zlib" in event for event in events)
    return b"".join(events).decode("utf-8", "replace")


async def test_a_new_api_key_for_temporal_is_given_to_the_client(
    temporal: Client, tmp_path: Path
) -> None:
    """It is logged by its name; an empty file warns once, and changes nothing."""
    (file := tmp_path / "key").write_text("first-key")
    watcher = SecretWatcher(temporal, FileSecret(SecretName.TEMPORAL_API_KEY, file))
    await watcher.look()
    assert temporal.api_key == "first-key"
    with capture_logs() as logs:
        for text in ("second-key", "", "", "third-key"):
            file.write_text(text)
            await watcher.look()
    assert temporal.api_key == "third-key"
    assert [one["event"] for one in logs] == [
        "secret.changed",
        "secret.unreadable",
        "secret.changed",
        "secret.recovered",
    ]
    assert all(one["source"] == "temporal_api_key" for one in logs)
    assert not any("-key'" in str(one) for one in logs)


async def test_a_secret_that_cannot_be_used_shows_in_the_metrics(
    temporal: Client, tmp_path: Path
) -> None:
    """At 0 from the start, at 1 while any file of its name is no good, and at 0 again."""

    def shown() -> float | None:
        labels = {"secret": SecretName.COLLECTOR_TOKEN.value}
        return metrics.REGISTRY.get_sample_value("clawback_secret_unreadable", labels)

    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        file.write_text("good")
    secrets = [FileSecret(SecretName.COLLECTOR_TOKEN, file) for file in files]
    watcher = SecretWatcher(temporal)
    for change, expected in (
        (lambda: None, 0),
        (lambda: files[0].write_text(""), 1),
        (lambda: files[0].write_text("good again"), 0),
        (files[1].unlink, 1),
        (secrets.clear, 0),
    ):
        change()
        await watcher.look()
        assert shown() == expected


async def test_a_file_that_was_never_there_is_told_too(temporal: Client, tmp_path: Path) -> None:
    """No request may have asked for it yet: the client secret of a provider is used at sign-in."""
    never = FileSecret(SecretName.CLIENT_SECRET, file := tmp_path / "none")
    with capture_logs() as logs:
        await SecretWatcher(temporal).look()
        file.write_text("secret")
        await SecretWatcher(temporal).look()
    assert [one["event"] for one in logs] == ["secret.unreadable", "secret.recovered"]
    assert never.get_secret_value() == "secret"


async def test_a_rotated_api_key_shows_its_own_expiry(temporal: Client, tmp_path: Path) -> None:
    """The alert about the old key ends with it."""
    (file := tmp_path / "key").write_text(_token_until(1_000))
    watcher = SecretWatcher(temporal, FileSecret(SecretName.TEMPORAL_API_KEY, file))
    labels = {"credential": "temporal_api_key"}
    for expiry in (1_000, 2_000_000_000):
        file.write_text(_token_until(expiry))
        await watcher.look()
        name = "clawback_credential_expiry_timestamp_seconds"
        assert metrics.REGISTRY.get_sample_value(name, labels) == expiry


def _token_until(expiry: int) -> str:
    """A JWT that expires then; nobody here checks its signature."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expiry}).encode()).decode().rstrip("=")
    return f"e30.{claims}.signature"
