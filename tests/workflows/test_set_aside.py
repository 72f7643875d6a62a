"""One case that takes no more stops only itself."""

import asyncio
import random
from pathlib import Path
from shutil import copy

import pytest
from temporalio.client import Client

from clawback.cases import CaseTiming
from clawback.model.audit_record import RecordKind
from clawback.model.size import PLAN_LIMIT
from clawback.simulator import outbreak
from clawback.temporal.set_aside_gateway import CannotKeep, MatchesSetAside, SetAsideGateway
from tests.rules.folders import PLAIN, write
from tests.waiting import eventually
from tests.workflows.deployment import RULES, deployed, match_of
from tests.workflows.test_case import moved_ids, plan, simulated

MATCH = match_of(next(iter(outbreak(1))))


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


@pytest.mark.parametrize("size", [PLAN_LIMIT + 1, 3_000_000, 6_000_000])
async def test_a_plan_that_no_payload_takes_is_never_kept(temporal: Client, size: int) -> None:
    """Neither the limit of Temporal nor that of gRPC looks like an outage, to be waited for."""
    noise = random.Random(1).randbytes(size // 2 + 1).hex()  # noqa: S311 - nothing can compress it
    batch = MatchesSetAside(plan=plan(title=noise), timing=CaseTiming(), matches=(MATCH,))
    with pytest.raises(CannotKeep, match="shorten its response"):
        await SetAsideGateway(temporal).add(batch)


async def test_a_rule_whose_plan_is_too_large_stops_only_itself(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its match is rejected and on record, the page is finished, and the other rule acts."""
    monkeypatch.setattr("clawback.temporal.case_sender.PLAN_LIMIT", 2_000)
    many = "".join(
        f"    - block_sender: {{pattern: {number}{'a' * 50}@x.test}}\n" for number in range(20)
    )
    greedy = PLAIN.replace("a_rule", "greedy").replace("6f1c3a52", "6f1c3a53")
    greedy = greedy.replace("    - move: {destination: JunkEmail}\n", many)
    rules = write(tmp_path / "rules", {"a_rule.yml": PLAIN, "greedy.yml": greedy})
    (line,) = outbreak(1, sender="a@x.test")
    async with (
        deployed(temporal, simulated([line]), tmp_path, rules=rules) as deployment,
        asyncio.timeout(150),
    ):
        status = await deployment.poll()
        assert (status.state, status.rejected, status.set_aside) == ("polling", 1, 0)
        await deployment.idle()
        assert moved_ids(deployment) == [line["message"]["id"]]

    records = [one for one in deployment.audit() if one.kind is RecordKind.EVENT_REJECTED]
    assert [(one.rule, one.event) for one in records] == [
        ("greedy", f"message/{line['message']['id']}")
    ]
    assert "shorten its response" in (records[0].detail or "")
