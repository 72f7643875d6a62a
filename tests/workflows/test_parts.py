"""A campaign too large for one case goes on in parts, which people see and answer as one."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.cases import CaseState, room
from clawback.cases.undo_plan import UndoScope
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal.undo_gateway import UndoGateway
from clawback.temporal.workflow_calls import UpdateRefused
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import moved_ids, plan, simulated

NOISE = random.Random(1)  # noqa: S311 - test data
CASE = plan().case_id


def campaign(count: int) -> list[dict[str, Any]]:
    """Build a campaign whose Message-IDs are long and cannot be compressed."""
    lines = list(outbreak(count, seed=1))
    for line in lines:
        line["message"]["message_id"] = f"<{NOISE.randbytes(400).hex()}@evil.test>"
    return lines


async def is_known(deployment: Deployment, count: int) -> bool | None:
    """Whether the case, with all its parts, has so many messages and nothing to do."""
    snapshot = (await deployment.cases.status(CASE)).snapshot
    is_there = snapshot is not None and len(snapshot.targets) == count
    return (
        is_there and snapshot is not None and snapshot.state is not CaseState.RESPONDING
    ) or None


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a case hold twenty messages or so."""
    monkeypatch.setattr(room, "STATE_LIMIT", 64 * 1024)
    monkeypatch.setattr(room, "FAN_OUT", 2)


@pytest.mark.usefixtures("small")
async def test_a_campaign_of_many_parts_is_one_case(temporal: Client, tmp_path: Path) -> None:
    """Every message is moved once, also when all are delivered again; undo takes all back."""
    lines = campaign(45)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(120):
        for _ in range(2):
            await deployment.signal_case(plan(), *map(match_of, lines))
            await eventually(lambda: is_known(deployment, 45))
        expected = sorted(line["message"]["id"] for line in lines)
        assert sorted(moved_ids(deployment)) == expected
        assert len(await deployment.cases.find()) == await deployment.cases.count() == 1

        undo = UndoGateway(temporal)

        async def all_parts() -> set[str] | None:
            found = (await undo.find(UndoScope(by="ana"), case=CASE)).candidates
            messages = {target.id for one in found for target in one.plan.messages}
            return messages if len(messages) == len(lines) and len(found) > 2 else None

        assert sorted(await eventually(all_parts)) == expected


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("approves", [True, False])
async def test_a_decision_covers_every_part(
    temporal: Client, tmp_path: Path, *, approves: bool
) -> None:
    """An approval is bound to the digest over all parts; a denial ends all of them."""
    lines, asked = campaign(45), plan(mode=Mode.APPROVE)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(120):
        await deployment.signal_case(asked, *map(match_of, lines))

        async def all_held() -> str | None:
            await is_known(deployment, 45)
            proposal = await deployment.cases.proposal(CASE)
            return proposal.digest if len(proposal.messages) == len(lines) else None

        digest = await eventually(all_held)
        if approves:
            with pytest.raises(UpdateRefused, match="has changed"):
                await deployment.cases.approve(CASE, "ana", "45-000000000000")
            await deployment.cases.approve(CASE, "ana", digest)
        else:
            await deployment.cases.deny(CASE, "ana")
        await eventually(lambda: decided(deployment, 45))
        assert len(moved_ids(deployment)) == (45 if approves else 0)


async def decided(deployment: Deployment, count: int) -> bool | None:
    """Whether every message has an outcome."""
    snapshot = (await deployment.cases.status(CASE)).snapshot
    return (snapshot is not None and len(snapshot.outcomes[0]) == count) or None
