"""One case that takes no more stops only itself."""

import asyncio
from pathlib import Path
from shutil import copy

import pytest
from temporalio.client import Client

from clawback.model.audit_record import RecordKind
from clawback.simulator import outbreak
from clawback.temporal.set_aside_gateway import SetAsideGateway
from tests.waiting import eventually
from tests.workflows.deployment import RULES, deployed
from tests.workflows.test_case import moved_ids, simulated


@pytest.mark.parametrize("temporal", [("history.maximumSignalsPerExecution=4",)], indirect=True)
async def test_a_case_at_its_signal_limit_stops_only_itself(
    temporal: Client, tmp_path: Path
) -> None:
    """Its matches are set aside, audited, shown and retried; the other campaign is moved.

    No correlation is loaded: the limit is every workflow's, and shards would refuse matches too.
    """
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "safety.yml").write_text("{}")
    copy(RULES / "bec" / "quarantine_bec.yml", rules)
    full, other = list(outbreak(6, seed=1)), list(outbreak(3, seed=2, sender="ceo@other.test"))
    async with (
        deployed(temporal, simulated([]), tmp_path / "state", rules=rules) as deployment,
        asyncio.timeout(80),
    ):
        for line in full[:4]:
            deployment.simulator.add([line])
            await deployment.poll()
        deployment.simulator.add([*full[4:], *other])
        status = await deployment.poll()
        assert status.state == "polling"

        expected = {line["message"]["id"] for line in [*full[:4], *other]}

        async def moved() -> bool | None:
            return set(moved_ids(deployment)) == expected or None

        await eventually(moved)
        set_aside = [one for one in deployment.audit() if one.kind is RecordKind.SET_ASIDE]
        assert status.set_aside == len(set_aside)
        assert {one.event for one in set_aside} == {
            f"message/{line['message']['id']}" for line in full[4:]
        }
        stuck = {one.case for one in set_aside if one.case}
        assert await SetAsideGateway(temporal).count() == len(stuck)

        for case in stuck:
            await temporal.get_workflow_handle(case).terminate()
        expected |= {line["message"]["id"] for line in full[4:]}
        await eventually(moved)
