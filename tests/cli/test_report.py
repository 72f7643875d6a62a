"""`clawback report` over cases that real workers opened: the table, the JSON and the page."""

import asyncio
import json
from pathlib import Path
from subprocess import CompletedProcess

from temporalio.client import Client

from clawback.actions import Move
from clawback.cases import CasePlan, CaseState
from clawback.cli.exits import ExitCode
from clawback.local.worker_requests import parse_requests_used
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from tests.cli.command import clawback
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import RULES, Deployment, deployed, match_of
from tests.workflows.test_case import simulated


def plan(group: int, mode: Mode) -> CasePlan:
    """A plan that moves mail to the junk folder."""
    return CasePlan(
        rule="quarantine_bec",
        version="v1",
        mode=mode,
        group={"edf_hash": str(group)},
        actions=(Move(destination=Destination.JUNK),),
    )


async def run(deployment: Deployment, *words: str) -> CompletedProcess[str]:
    """Run `clawback report` against a deployment, with the audit of its worker."""
    return await asyncio.to_thread(
        clawback,
        "report",
        *words,
        TEMPORAL_ADDRESS=deployment.client.service_client.config.target_host,
        CLAWBACK_RULES=str(RULES),
        CLAWBACK_AUDIT=str(deployment.settings.audit_file),
    )


async def test_a_report_of_what_happened(temporal: Client, tmp_path: Path) -> None:
    """One case that acted and one that somebody denied: counted, timed, printed and written."""
    campaigns = [list(outbreak(2, group)) for group in range(2)]
    acts, asks = plan(0, Mode.ENFORCE), plan(1, Mode.APPROVE)
    async with deployed(
        temporal, simulated([*campaigns[0], *campaigns[1]]), tmp_path
    ) as deployment:
        for one, mail in zip((acts, asks), campaigns, strict=True):
            await deployment.signal_case(one, *map(match_of, mail))
        await deployment.settled(acts.case_id)
        await deployment.settled(asks.case_id, CaseState.HELD)
        await deployment.cases.deny(asks.case_id, person("ana"), "our own newsletter")

        async def counted() -> dict[str, float | None] | None:
            done = await run(deployment, "--since", "1h", "--json")
            assert done.returncode == ExitCode.OK, done.stderr
            found = {one["name"]: one["value"] for one in json.loads(done.stdout)["numbers"]}
            return found if found["cases_denied"] and found["messages_contained"] == 2 else None

        found = await eventually(counted)
        assert (found["cases_opened"], found["cases_held"], found["cases_answered"]) == (2, 1, 1)
        assert (found["cases_decided"], found["messages_moved"]) == (1, 2)
        assert found["time_to_containment_median"] is not None
        assert found["messages_read_before"] is None

        page = tmp_path / "report.html"
        done = await run(deployment, "--since", "1h", "--html", str(page))
        for part in ("Messages contained", "unknown", "quarantine_bec", "50 %", "ana"):
            assert part in done.stdout, done.stdout
            assert part in page.read_text(encoding="utf-8")


async def test_a_period_must_not_be_empty(temporal: Client, tmp_path: Path) -> None:
    """And a page that cannot be written is an error that names the file."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        done = await run(deployment, "--since", "1h", "--until", "2h")
        assert (done.returncode, "--since" in done.stderr) == (ExitCode.USAGE, True)
        done = await run(deployment, "--html", str(tmp_path / "no" / "page.html"))
        assert (done.returncode, "page.html" in done.stderr) == (ExitCode.ENVIRONMENT, True)


def test_the_requests_of_a_worker_have_a_beginning() -> None:
    """A counter restarts with its process, so its number is nothing without a time."""
    page = 'clawback_api_requests_total{status="200"} 7.0\nprocess_start_time_seconds 1.7e9\n'
    used = parse_requests_used(f"# TYPE clawback_api_requests_total counter\n{page}")
    assert used is not None
    assert (used.count, used.since.year) == (7, 2023)
    assert parse_requests_used("clawback_rules_loaded 3\n") is None
