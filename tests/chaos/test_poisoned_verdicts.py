"""A wrong verdict of Cloudflare's on thousands of clean messages: it is bounded and undone."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client

from clawback.cases import CaseState
from clawback.cli.exits import ExitCode
from clawback.model.audit_record import RecordKind
from clawback.simulator import outbreak
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.undo_decisions import UndoDecisions
from clawback.temporal.undo_gateway import UndoGateway, UndoSummary
from tests.chaos.test_outages import simulated
from tests.cli.command import clawback
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import RULES, Deployment, deployed

CAMPAIGNS, COPIES = 40, 25
MOST = 500
"""Messages in an hour that a rule may move, and beyond which a verdict is a surge.

What the shipped safety.yml says.
"""


def newsletters(disposition: str) -> Iterator[dict[str, Any]]:
    """Clean mail of many senders, with a given verdict."""
    for number in range(CAMPAIGNS):
        yield from outbreak(
            COPIES, number, disposition=disposition, sender=f"news{number}@partner{number}.example"
        )


def returned(deployment: Deployment) -> list[str]:
    """The messages that are back in the inbox."""
    moves = [row for row in deployment.ledger if row["operation"] == "move"]
    return [row["id"] for row in moves if row["destination"] == "Inbox"]


async def held_or_settled(deployment: Deployment) -> Counter[str] | None:
    """Count the cases by state once every match is decided; visibility may lag."""
    states = Counter(
        [line.state for line in await deployment.cases.find(CaseFilter(rule="quarantine_bec"))]
    )
    return (
        states
        if states.total() == CAMPAIGNS and set(states) <= {CaseState.HELD, CaseState.SETTLED}
        else None
    )


async def test_a_wrong_verdict_is_held_and_undone_by_two_people(
    temporal: Client, tmp_path: Path
) -> None:
    """At most 500 messages are touched, one notification is sent, and one undo reverts all.

    Cloudflare still calls them malicious, so a second person agrees.
    """
    simulator = simulated(list(newsletters("NONE")))
    async with deployed(temporal, simulator, tmp_path, judges_undo=True) as deployment:
        await deployment.poll()
        assert deployment.ledger == []
        deployment.simulator.add(list(newsletters("MALICIOUS-BEC")))
        await deployment.poll()
        states = await eventually(lambda: held_or_settled(deployment), timedelta(seconds=120))
        await deployment.idle()

        moved = [row["id"] for row in deployment.ledger if row["operation"] == "move"]
        blocked = [row["id"] for row in deployment.ledger if row["operation"] == "create"]
        assert len(moved) == len(set(moved)) == states[CaseState.SETTLED] * COPIES == MOST
        assert blocked == []  # each sender has one campaign only
        reasons = [
            record.detail
            for record in deployment.audit()
            if record.kind is RecordKind.HELD and record.rule == "quarantine_bec"
        ]
        assert len(reasons) == states[CaseState.HELD]
        assert all(
            "would exceed 500 messages per 1h of the rule (500 so far)" in str(reason)
            for reason in reasons
        )

        address = temporal.service_client.config.target_host
        undone = await asyncio.to_thread(
            clawback,
            "undo",
            "--since",
            "1h",
            "--yes",
            "--json",
            TEMPORAL_ADDRESS=address,
            CLAWBACK_RULES=str(RULES),
        )
        assert undone.returncode == ExitCode.NO, undone.stderr
        held = json.loads(undone.stdout)
        found = held["held"]["assessment"]
        assert found["verdicts"] == {"MALICIOUS-BEC": MOST}
        assert returned(deployment) == []
        decisions = UndoDecisions(temporal)
        await decisions.approve(held["undo"], person("bob"), found["digest"])
        pages = [f"{held['undo']}/1"]
        summary = UndoSummary.total((await UndoGateway(temporal).result(pages)).require_all())
        assert summary.failed == 0
        back = returned(deployment)
        removed = [row["id"] for row in deployment.ledger if row["operation"] == "delete"]
        answered = Counter(
            row["disposition"] for row in deployment.ledger if row["operation"] == "reclassify"
        )
        assert sorted(back) == sorted(moved)
        assert sorted(removed) == sorted(blocked)
        assert answered["NONE"] == answered["MALICIOUS"]
