"""Secrets that are rotated while workers run: no act fails, and nothing is restarted."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs
from temporalio.client import Client

from clawback.actions import Move
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.secret_files import FileSecret, SecretName
from clawback.services.secret_watcher import SecretWatcher
from clawback.simulator import Simulator, SimulatorOptions, TokenScope, outbreak
from tests.workflows.deployment import deployed, match_of

AT_ONCE = CaseTiming(linger=timedelta())


def plan(number: int) -> CasePlan:
    """A case that moves the mail of one sender."""
    return CasePlan(
        rule="r",
        version="v1",
        mode=Mode.ENFORCE,
        group={"from": f"s{number}@bad.test"},
        actions=(Move(destination=Destination.RECOVERABLE),),
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


async def test_a_new_api_key_for_temporal_is_given_to_the_client(
    temporal: Client, tmp_path: Path
) -> None:
    """It is logged by its name; an empty file warns once, and changes nothing."""
    (file := tmp_path / "key").write_text("first-key")
    watcher = SecretWatcher(temporal, FileSecret(SecretName.TEMPORAL_API_KEY, file))
    watcher.look()
    assert temporal.api_key == "first-key"
    with capture_logs() as logs:
        for text in ("second-key", "", "", "third-key"):
            file.write_text(text)
            watcher.look()
    assert temporal.api_key == "third-key"
    assert [one["event"] for one in logs] == [
        "secret.changed",
        "secret.unreadable",
        "secret.changed",
        "secret.recovered",
    ]
    assert all(one["source"] == "temporal_api_key" for one in logs)
    assert not any("-key'" in str(one) for one in logs)
