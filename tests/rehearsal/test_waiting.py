"""What a rehearsal waits for before it judges what happened."""

from pathlib import Path

from temporalio.client import Client

from clawback.cases import CaseState, CaseTiming
from clawback.rehearsal.waiting import find_busy, is_idle
from clawback.simulator import outbreak
from clawback.temporal.case_gateway import CaseGateway
from tests.waiting import eventually
from tests.workflows.deployment import deployed, match_of
from tests.workflows.test_case import plan, simulated


async def test_a_settled_case_with_new_matches_is_not_idle(
    temporal: Client, tmp_path: Path
) -> None:
    """It still says that it is settled: the workers are down, and nobody has taken the matches."""
    lines = list(outbreak(2))
    cases = CaseGateway(temporal)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), match_of(lines[0]))
        await deployment.settled(plan().case_id)

        async def rests() -> bool | None:
            listed = await cases.find()
            is_settled = [one.state for one in listed] == [CaseState.SETTLED]
            return (is_settled and await find_busy(temporal) is None) or None

        await eventually(rests)
        assert await is_idle(temporal)

    await cases.signal_matches(plan(), [match_of(lines[1])], CaseTiming())
    assert [one.state for one in await cases.find()] == [CaseState.SETTLED]
    assert not await is_idle(temporal)
    assert await find_busy(temporal) == plan().case_id
