"""Blocks of ours on a real server.

They end when they should, people can extend and lift them, and what others changed is left alone.
"""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client

from clawback.actions import BlockSender
from clawback.cases import CasePlan
from clawback.model import orders
from clawback.model.addresses import PatternKind
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.folders import AccountProviders
from clawback.model.mode import Mode
from clawback.model.policies import Removal
from clawback.model.providers import Provider
from clawback.rules.live import LiveRules
from clawback.services.configuration import connect_api
from clawback.services.never_block_watcher import NeverBlockWatcher
from clawback.simulator import outbreak, parse_faults
from clawback.simulator.options import TokenScope
from clawback.telemetry import metrics
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway
from clawback.temporal.data_converter import data_converter
from clawback.temporal.key_ring import Key, KeyRing
from clawback.temporal.workflow_calls import NoSuchWorkflow, UpdateRefused
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import RULES, Deployment, deployed, match_of
from tests.workflows.test_case import simulated

PATTERN = "a@sender.example"
DOMAIN = {
    "domain": "Own.Example",
    "allowed_delivery_modes": ["API"],
    "drop_dispositions": ["MALICIOUS"],
    "ip_restrictions": ["192.0.2.0/24"],
    "regions": ["GLOBAL"],
}


async def blocked(
    deployment: Deployment,
    lasts: timedelta = timedelta(days=30),
    pattern: str = PATTERN,
    *,
    variants: bool = False,
) -> ActiveBlock:
    """Have a case block a sender; the block as it stands."""
    action = BlockSender(pattern=pattern, expires_after=lasts, variants=variants)
    told = CasePlan(
        rule="r", version="v1", mode=Mode.ENFORCE, group={"from": pattern}, actions=(action,)
    )
    await deployment.signal_case(told, match_of(next(iter(outbreak(1)))))
    await deployment.settled(told.case_id)

    async def indexed() -> ActiveBlock | None:
        return next(
            (block for block in await standing(deployment) if block.block.pattern == pattern), None
        )

    return await eventually(indexed)


async def standing(deployment: Deployment) -> list[ActiveBlock]:
    """All blocks of ours that stand."""
    return [block async for block in BlockGateway(deployment.client).list_active()]


def removed(deployment: Deployment) -> list[str]:
    """The ids of blocks that were removed."""
    return [row["id"] for row in deployment.ledger if row["operation"] == "delete"]


def recorded(deployment: Deployment, kind: RecordKind) -> list[AuditRecord]:
    """The records of one kind."""
    return [record for record in deployment.audit() if record.kind is kind]


async def test_a_block_that_stands_is_listed_with_all_that_is_known_of_it(
    temporal: Client, tmp_path: Path
) -> None:
    """Pattern, rule, case and times come from the index of the server alone.

    It is listed after the workers are gone.
    """
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        block = await blocked(deployment)
    assert await standing(deployment) == [block]
    assert (block.block.pattern, block.block.kind, block.rule) == (PATTERN, PatternKind.EMAIL, "r")
    assert block.case.startswith("case/r/")
    assert block.expires_at - block.made_at == pytest.approx(
        timedelta(days=30), abs=timedelta(seconds=20)
    )


async def test_what_a_block_matches_is_encrypted_in_the_index_too(
    temporal: Client, tmp_path: Path
) -> None:
    """With a key, whoever looks at the server sees no address of a block.

    Who has the key reads it.
    """
    config = temporal.config()
    config["data_converter"] = data_converter(KeyRing([Key(bytes(range(32)))]))
    client = Client(**config)
    async with deployed(client, simulated([]), tmp_path) as deployment:
        block = await blocked(deployment)
        (execution,) = [
            one async for one in temporal.list_workflows("WorkflowType = 'block-expiry'")
        ]
        raw = execution.raw_info.SerializeToString()
        assert (PATTERN.encode() in raw, b"block" in raw) == (False, True)
        assert block.block.pattern == PATTERN


async def test_a_block_is_lifted_at_once(temporal: Client, tmp_path: Path) -> None:
    """Thirty days before its time.

    Who and why is on record, and whatever comes later is told that it is over.
    """
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        block, blocks = await blocked(deployment), BlockGateway(temporal)
        assert await blocks.lift(block.id, person("ana"), "a partner") is Removal.REMOVED
        assert removed(deployment) == [block.id]
        record = recorded(deployment, RecordKind.BLOCK_LIFTED)[0]
        assert (record.actor, record.detail, record.outcome, record.target) == (
            "ana",
            "a partner",
            "removed",
            block.id,
        )
        with pytest.raises(UpdateRefused, match="ended at"):
            await blocks.lift(block.id, person("ben"))
        with pytest.raises(UpdateRefused, match="ended at"):
            await blocks.extend(block.id, datetime.now(UTC) + timedelta(days=60), person("ben"))
        with pytest.raises(NoSuchWorkflow, match="clawback has no block nobodys"):
            await blocks.lift("nobodys", person("ben"))


async def test_while_a_lift_is_under_way_a_second_is_told_who_was_first(
    temporal: Client, tmp_path: Path
) -> None:
    """The API is silent, so the block still stands: it goes as soon as the API answers."""
    simulator = simulated([])
    async with deployed(temporal, simulator, tmp_path) as deployment:
        block, blocks = await blocked(deployment), BlockGateway(temporal)
        simulator.account.faults.rates = parse_faults("500=1.0")
        assert (
            await blocks.lift(block.id, person("ana"), patience=timedelta(milliseconds=300)) is None
        )
        with pytest.raises(UpdateRefused, match="ana has lifted it"):
            await blocks.lift(block.id, person("ben"))
        with pytest.raises(UpdateRefused, match="ana has lifted it"):
            await blocks.extend(block.id, datetime.now(UTC) + timedelta(days=60), person("ben"))
        simulator.account.faults.rates = parse_faults("")
        await eventually(lambda: _gone(deployment, block.id))


async def test_a_block_is_extended_and_never_shortened(temporal: Client, tmp_path: Path) -> None:
    """The list says the new end; who, until when and why is on record."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        block, blocks = await blocked(deployment), BlockGateway(temporal)
        until = block.expires_at + timedelta(days=30)
        assert await blocks.extend(block.id, until, person("ana"), "still at it") == until
        await eventually(lambda: _stands_until(deployment, until))
        record = recorded(deployment, RecordKind.BLOCK_EXTENDED)[0]
        assert (record.actor, record.detail) == ("ana", f"until {until:%FT%TZ} · still at it")
        with pytest.raises(UpdateRefused, match="stands until"):
            await blocks.extend(block.id, block.expires_at, person("ana"))
        assert removed(deployment) == []


async def test_a_block_stands_for_thirty_days_and_an_extended_one_for_sixty(
    skipping: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the server's clock, which is ahead of ours by then."""
    monkeypatch.setattr(orders, "MAX_AGE", timedelta(days=365))
    async with deployed(skipping, simulated([]), tmp_path) as deployment:
        blocks = BlockGateway(skipping)
        short, long = (
            await blocked(deployment),
            await blocked(deployment, pattern="b@sender.example"),
        )
        await blocks.extend(long.id, long.made_at + timedelta(days=60), person("ana"))
        lasted = [await _ended(deployment, block) - block.made_at for block in (short, long)]
        assert lasted == [
            pytest.approx(timedelta(days=days), abs=timedelta(minutes=1)) for days in (30, 60)
        ]
        assert sorted(removed(deployment)) == sorted((short.id, long.id))


@pytest.mark.parametrize(
    "change",
    [
        {"comments": "mine now"},
        {"pattern": "other@sender.example"},
        {"pattern_type": "DOMAIN", "pattern": "x.example"},
        {"is_regex": True},
    ],
)
async def test_a_block_that_somebody_changed_is_left_alone(
    temporal: Client, tmp_path: Path, change: dict[str, Any]
) -> None:
    """Its mark, its pattern, its kind.

    Whatever was changed, it is not ours to remove any more, and the record says so.
    """
    async with (
        deployed(temporal, simulated([]), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        block = await blocked(deployment)
        await api.settings.block_senders.edit(block.id, **change)
        assert await BlockGateway(temporal).lift(block.id, person("ana")) is Removal.LEFT_ALONE
        assert removed(deployment) == []
        assert recorded(deployment, RecordKind.BLOCK_LIFTED)[0].outcome == "left_alone"


async def test_a_remark_of_somebody_does_not_make_a_block_theirs(
    temporal: Client, tmp_path: Path
) -> None:
    """Our mark is still in the comments, so the block ends."""
    async with (
        deployed(temporal, simulated([]), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        block = await blocked(deployment)
        comments = (await api.block_sender(block.id)).comments
        await api.settings.block_senders.edit(block.id, comments=f"{comments} - seen by ben")
        assert await BlockGateway(temporal).lift(block.id, person("ana")) is Removal.REMOVED


async def test_own_domains_of_the_account_are_never_blocked(
    temporal: Client, tmp_path: Path
) -> None:
    """They are read once an hour, apply at decision and before acting, and survive failed reads."""
    simulator = simulated([])
    async with (
        deployed(temporal, simulator, tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        await api.settings.domains.create(**DOMAIN)  # type: ignore[arg-type]
        await deployment.services.never_block.read_domains()
        await deployment.services.never_block.read_domains()
        assert (
            sum(
                asked.path.endswith("/settings/domains") and asked.method == "GET"
                for asked in simulator.account.requests.entries
            )
            == 1
        )
        told = CasePlan(
            rule="r",
            version="v1",
            mode=Mode.ENFORCE,
            group={"from": "x"},
            actions=(BlockSender(pattern="boss@eu.own.example"),),
        )
        await deployment.signal_case(told, match_of(next(iter(outbreak(1)))))
        assert await deployment.settled(told.case_id) == {
            "boss@eu.own.example": "failed:never_block"
        }
        assert deployment.requests("/settings/block_senders") == 0


async def test_the_domains_of_the_account_name_its_providers(
    temporal: Client, tmp_path: Path
) -> None:
    """What matches afterwards goes to a folder that the provider of its mailbox has."""
    simulator = simulated([*outbreak(1, disposition="MALICIOUS-BEC")])
    simulator.add_domain("corp.example", "Google")
    simulator.add_domain("other.example")
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.services.never_block.read_domains()
        providers = deployment.rules.current.providers
        assert providers == AccountProviders({"corp.example": Provider.GOOGLE})
        await deployment.poll()

        async def moves() -> list[str] | None:
            rows = [row for row in deployment.ledger if row["operation"] == "move"]
            return [row["destination"] for row in rows] or None

        assert await eventually(moves) == ["DeletedItems"]


async def test_domains_that_may_not_be_listed_are_said_once(
    temporal: Client, tmp_path: Path
) -> None:
    """The worker goes on with the list of its file."""
    simulator = simulated([], tokens={"nothing": TokenScope.NONE})
    settings: dict[str, Any] = {
        "cloudflare_api_token": "nothing",
        "cloudflare_account_id": "a" * 32,
    }
    async with (
        deployed(temporal, simulator, tmp_path, **settings) as deployment,
        connect_api(deployment.settings) as api,
    ):
        rules = LiveRules.load(RULES)
        watch = NeverBlockWatcher(
            api, rules, BlockGateway(temporal), deployment.services.audit_keeper.writer
        )
        await watch.read_domains()
        assert rules.own_domain_count == 0
        assert math.isnan(metrics.OWN_DOMAINS._value.get())
        await watch.read_domains()
        assert deployment.requests("/settings/domains") == 1  # not again before an hour is over


async def test_an_account_without_domains_is_logged(temporal: Client, tmp_path: Path) -> None:
    """Nobody's own domain would be on the never-block list."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        never_block = deployment.services.never_block
        with capture_logs() as logs:
            await never_block.read_domains_at_start()
        assert [one["event"] for one in logs] == ["never_block.no_own_domains"]


async def test_domains_that_are_added_later_are_found_within_minutes(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alert about an account without domains must end soon after they are there."""
    monkeypatch.setattr("clawback.services.never_block_watcher.READ_AFTER_NONE", timedelta())
    simulator = simulated([])
    async with deployed(temporal, simulator, tmp_path) as deployment:
        never_block = deployment.services.never_block
        await never_block.read_domains()
        assert metrics.OWN_DOMAINS._value.get() == 0
        simulator.add_domain("own.example")
        await never_block.read_domains()
        assert metrics.OWN_DOMAINS._value.get() == 1


async def test_a_block_that_the_list_forbids_by_now_is_told_of_once(
    temporal: Client, tmp_path: Path
) -> None:
    """Counted while it stands, recorded once, with the command that lifts it."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        block, watch = await blocked(deployment), deployment.services.never_block
        await watch.compare()
        assert (
            metrics.BLOCKS_FORBIDDEN._value.get(),
            recorded(deployment, RecordKind.BLOCK_FORBIDDEN),
        ) == (0, [])
        watch._rules.protect_own_domains(frozenset({"sender.example"}))
        await watch.compare()
        await watch.compare()
        (record,) = recorded(deployment, RecordKind.BLOCK_FORBIDDEN)
        assert (record.target, metrics.BLOCKS_FORBIDDEN._value.get()) == (block.id, 1)
        assert "clawback block lift --forbidden" in (record.detail or "")
        await BlockGateway(temporal).lift(block.id, person("ana"))
        await eventually(lambda: _nothing_stands(deployment))
        await watch.compare()
        assert metrics.BLOCKS_FORBIDDEN._value.get() == 0


async def _gone(deployment: Deployment, block: str) -> bool | None:
    return block in removed(deployment) or None


async def _stands_until(deployment: Deployment, until: datetime) -> bool | None:
    return any(block.expires_at == until for block in await standing(deployment)) or None


async def _nothing_stands(deployment: Deployment) -> bool | None:
    return not await standing(deployment) or None


async def _ended(deployment: Deployment, block: ActiveBlock) -> datetime:
    handle = deployment.client.get_workflow_handle(f"expiry/{block.id}")
    async with asyncio.timeout(60):
        await handle.result()
    closed = (await handle.describe()).close_time
    assert closed is not None
    return closed
