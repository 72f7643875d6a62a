"""`clawback undo` where a second person must agree, as people meet it.

All commands of a test are run by one person, whomever they say they act for.
"""

import asyncio
import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

from temporalio.client import Client

from clawback.cli.exits import ExitCode
from clawback.simulator import outbreak
from clawback.temporal.undo_decisions import UndoDecisions
from clawback.temporal.undo_gateway import UndoGateway
from tests.cli.command import clawback
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_undo import candidates, plan, rows
from tests.workflows.test_undo_hold import limit_undo


async def run(
    deployment: Deployment, *arguments: str, rules: Path | None = None
) -> CompletedProcess[str]:
    """Run a command against the server and the API of an installation."""
    return await asyncio.to_thread(
        clawback,
        *arguments,
        TEMPORAL_ADDRESS=deployment.client.service_client.config.target_host,
        CLAWBACK_API_URL=deployment.settings.api_url,
        CLAWBACK_RULES=str(rules or deployment.settings.rules),
    )


async def test_two_people_return_malicious_mail(temporal: Client, tmp_path: Path) -> None:
    """The first one is told why it waits, the second one what for."""
    lines = list(outbreak(2, disposition="MALICIOUS"))
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        await eventually(lambda: candidates(UndoGateway(temporal), plan().case_id))

        undo = ("undo", "case", plan().case_id, "--by", "ana")
        dry = await run(deployment, *undo, "--dry-run")
        assert "Present verdicts: 2 MALICIOUS." in dry.stdout
        assert "held until a second person agrees: 2 messages are malicious now." in dry.stdout

        done = await run(deployment, *undo, "--yes", "--json")
        assert done.returncode == ExitCode.NO, done.stderr
        id_ = json.loads(done.stdout)["undo"]
        await eventually(lambda: _held(temporal))
        (held,) = json.loads((await run(deployment, "undo", "list", "--json")).stdout)
        assert (held["undo"], held["actor"]["on_behalf_of"]) == (id_, "ana")

        listed = await run(deployment, "case", "list", "--state", "held")
        assert f"{id_} is held: " in listed.stdout
        assert "wants to take back 2 changes of 1 case" in listed.stdout
        assert f"clawback undo approve {id_}" in listed.stdout
        as_json = await run(deployment, "case", "list", "--state", "held", "--json")
        assert json.loads(as_json.stdout) == []
        assert id_ in as_json.stderr
        settled = await run(deployment, "case", "list", "--state", "settled")
        assert id_ not in settled.stdout + settled.stderr

        digest = held["assessment"]["digest"]
        refused = await run(deployment, "undo", "approve", id_, "--digest", digest, "--by", "bob")
        assert refused.returncode != ExitCode.OK
        assert "another person must approve it" in refused.stderr
        await UndoDecisions(temporal).approve(id_, person("bob"), digest)
        await eventually(lambda: _returned(deployment, 2))
        nothing = await run(deployment, "undo", "deny", id_, "--by", "carl")
        assert nothing.returncode == ExitCode.NO
        assert "waits for a decision" in nothing.stderr


async def test_a_dry_run_says_what_was_taken_back_before(temporal: Client, tmp_path: Path) -> None:
    """And counts nothing itself."""
    lines = list(outbreak(3, disposition="SPAM"))
    ids = [line["message"]["id"] for line in lines]
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        limit_undo(deployment, changes=1)
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        await eventually(lambda: candidates(UndoGateway(temporal), plan().case_id))
        rules = shutil.copytree(deployment.settings.rules, tmp_path / "rules")
        safety = rules / "safety.yml"
        text = safety.read_text(encoding="utf-8")
        safety.write_text(text.replace("changes: 100", "changes: 1"), encoding="utf-8")

        for _ in range(2):
            dry = await run(deployment, "undo", "message", ids[0], "--dry-run", rules=rules)
            assert "second person" not in dry.stdout, dry.stderr
        done = await run(deployment, "undo", "message", ids[0], "--yes", rules=rules)
        assert done.returncode == ExitCode.OK, done.stderr
        dry = await run(deployment, "undo", "message", ids[1], "--dry-run", rules=rules)
        assert "has taken back 1 of 1 changes within 1h, and this undo has 1." in dry.stdout
        held = await run(deployment, "undo", "message", ids[1], "--yes", rules=rules)
        assert held.returncode == ExitCode.NO
        assert "has taken back 1 of 1 changes within 1h" in held.stdout


async def test_an_api_that_cannot_be_read_here_is_the_workers_matter(
    temporal: Client, tmp_path: Path
) -> None:
    """The dry run says so, and takes nothing for clean."""
    lines = list(outbreak(1))
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        await eventually(lambda: candidates(UndoGateway(temporal), plan().case_id))
        address = temporal.service_client.config.target_host
        done = await asyncio.to_thread(
            clawback,
            *("undo", "case", plan().case_id, "--dry-run"),
            TEMPORAL_ADDRESS=address,
            CLAWBACK_API_URL="http://127.0.0.1:9/client/v4",
        )
        assert done.returncode == ExitCode.OK, done.stderr
        assert "could not be read here" in done.stdout
        assert "Present verdicts: 1 unknown." in done.stdout


async def _held(temporal: Client) -> bool | None:
    return bool((await UndoDecisions(temporal).held()).given) or None


async def _returned(deployment: Deployment, count: int) -> bool | None:
    back = [row for row in rows(deployment, "move") if row["destination"] == "Inbox"]
    return len(back) == count or None
