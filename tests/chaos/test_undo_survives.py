"""An undo survives when its worker is killed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from temporalio.client import Client

from clawback.cases import CasePlan, CaseState, CaseTiming, Match
from clawback.cases.undo_plan import UndoScope
from clawback.local import ChildProcess, ProcessGroup, environment_with, free_port, worker_child
from clawback.model.events import message_event
from clawback.rules import RuleSet, load_rules
from clawback.simulator import Simulator, outbreak
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.undo_gateway import UndoGateway, UndoSummary
from clawback.temporal.workflow_calls import NoSuchWorkflow
from tests.chaos.test_outages import simulated
from tests.people import person
from tests.rules.folders import LOGSOURCE, write
from tests.waiting import eventually
from tests.workflows.deployment import match_of
from tests.workflows.test_undo import total

CASES, COPIES = 8, 4
LONG = timedelta(seconds=90)
_FOREIGN = ("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_")


RULE = f"""title: Everything that undo can revert
name: r
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11
status: stable
{LOGSOURCE}detection:
  sel: {{from|endswith: "@bad.test"}}
  condition: sel
response:
  mode: enforce
  group-by: [from]
  actions:
    - move: {{destination: RecoverableItemsDeletions}}
    - reclassify: {{disposition: MALICIOUS}}
    - block_sender: {{pattern: "{{from}}"}}
tests:
  - {{name: bad, event: {{from: a@bad.test}}, expect: match}}
  - {{name: good, event: {{from: a@good.test}}, expect: no match}}
"""


def matched(rules: RuleSet, lines: Sequence[dict[str, Any]]) -> tuple[CasePlan, list[Match]]:
    """The plan that the rule makes for the messages of a sender, and their matches."""
    (found,) = rules.evaluate(message_event(lines[0]["message"], datetime.now(UTC))).matches
    version = {"condition_version": found.plan.condition_version}
    return found.plan, [match_of(line).model_copy(update=version) for line in lines]


@asynccontextmanager
async def worker_of(
    client: Client, simulator: Simulator, folder: Path
) -> AsyncIterator[ChildProcess]:
    """Run the worker as its own process, restarted whenever it dies."""
    async with simulator.serve() as url:
        metrics = f"127.0.0.1:{free_port()}"
        changes = {
            "TEMPORAL_ADDRESS": client.service_client.config.target_host,
            "CLAWBACK_API_URL": url,
            "CLAWBACK_STATE": str(folder),
            "CLAWBACK_RULES": str(write(folder / "rules", {"r.yml": RULE})),
            "CLAWBACK_METRICS": metrics,
            "CLAWBACK_AGE_LIMIT": "off",
        }
        child = worker_child(environment_with(changes, without=_FOREIGN), metrics, folder / "logs")
        async with ProcessGroup((child,)).running():
            yield child


async def test_undo_continues_after_its_worker_was_killed(temporal: Client, tmp_path: Path) -> None:
    """Killed after the first message and after the first block; each is reverted once."""
    simulator = simulated([], "slow=0.5:0.3")
    # Clean by now: two people must agree to return malicious mail.
    mail = [
        list(outbreak(COPIES, number, sender=f"s{number}@bad.test", disposition="NONE"))
        for number in range(CASES)
    ]
    simulator.add([line for lines in mail for line in lines])
    cases, undo = CaseGateway(temporal), UndoGateway(temporal)
    async with worker_of(temporal, simulator, tmp_path) as worker:
        pace = CaseTiming(linger=timedelta(hours=1))
        rules = load_rules(tmp_path / "rules")
        known = [matched(rules, lines) for lines in mail]
        await asyncio.gather(*(cases.signal_matches(*one, pace) for one in known))
        await eventually(lambda: _settled(cases, [plan.case_id for plan, _ in known]), LONG)
        scope = UndoScope(actor=person("ana"), reason="good mail")
        found = [one.case for one in (await undo.find(scope, rule="r")).candidates]
        assert len(found) == CASES
        undoing = await undo.start(scope, found)
        for done in ("move", "delete"):
            await eventually(partial(_taken_back, simulator, done), LONG)
            worker.kill(expected=True)
        assert await asyncio.wait_for(total(undo, undoing), LONG.total_seconds()) == UndoSummary(
            cases=CASES, done=CASES * (COPIES + 2)
        )
    back = Counter(row["id"] for row in rows(simulator, "move") if row["destination"] == "Inbox")
    assert back == Counter({line["message"]["id"]: 1 for lines in mail for line in lines})
    assert len(rows(simulator, "delete")) == len(rows(simulator, "create")) == CASES
    assert Counter(row["disposition"] for row in rows(simulator, "reclassify")) == {
        "MALICIOUS": CASES,
        "NONE": CASES,
    }


def rows(simulator: Simulator, operation: str) -> list[dict[str, Any]]:
    """The ledger rows of one operation."""
    return [row for row in simulator.account.ledger.since(0) if row["operation"] == operation]


async def _taken_back(simulator: Simulator, operation: str) -> bool | None:
    return (
        any(row.get("destination", "Inbox") == "Inbox" for row in rows(simulator, operation))
        or None
    )


async def _settled(cases: CaseGateway, ids: Sequence[str]) -> bool | None:
    try:
        memories = [(await cases.status(case)).snapshot for case in ids]
    except NoSuchWorkflow:
        return None
    return (
        all(memory is not None and memory.state is CaseState.SETTLED for memory in memories) or None
    )
