"""Quiet hours and escalation, from a real Temporal server to real receivers."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.cases import CaseState
from clawback.cases.digest import WaitingNotification
from clawback.model.audit_record import RecordKind
from clawback.model.mode import Mode
from clawback.notifications import Channels
from clawback.notifications.channel_file import parse_channels
from clawback.temporal import names
from clawback.temporal.notification_gateway import NotificationGateway
from tests.notifications.receivers import WebReceiver, web_receiver
from tests.notifications.samples import KEY
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_notifications import outcomes, plan, simulated

HELD = plan(mode=Mode.APPROVE)


@pytest.fixture
def soc() -> Iterator[WebReceiver]:
    """The first channel."""
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
def boss() -> Iterator[WebReceiver]:
    """The channel that is told if nobody answers."""
    with web_receiver() as receiver:
        yield receiver


def channel(receiver: WebReceiver, **settings: Any) -> dict[str, Any]:
    return {"kind": "webhook", "url": receiver.url, "key": KEY, **settings}


def escalating(soc: WebReceiver, boss: WebReceiver, after: str = "1s") -> Channels:
    first = channel(soc, escalate_to="boss", escalate_after=after)
    return parse_channels({"soc": first, "boss": channel(boss)})


def quiet_for(left: timedelta) -> dict[str, str]:
    """Quiet hours that began an hour ago and end soon."""
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + left
    return {"from": f"{start:%H:%M:%S}", "to": f"{end:%H:%M:%S}", "zone": "UTC"}


async def test_what_comes_during_quiet_hours_is_one_message_when_they_end(
    temporal: Client, tmp_path: Path, soc: WebReceiver
) -> None:
    """Nothing is sent before, every case hears that it was told, and a critical one waits not."""
    simulator, matches = simulated(3)
    cases = [plan(group={"edf_hash": one}) for one in "ab"]
    urgent = plan(group={"edf_hash": "c"}, level="critical")
    channels = parse_channels({"soc": channel(soc, quiet_hours=quiet_for(timedelta(minutes=30)))})
    async with deployed(temporal, simulator, tmp_path, channels) as deployment:
        for case, match in zip((*cases, urgent), matches, strict=True):
            await deployment.signal_case(case, match)
        await outcomes(deployment, urgent)
        await eventually(lambda: _waiting(deployment, 2))
        assert [one["type"] for one in soc.accepted] == ["case.done"]

        # The newest one says when they end: the channel file may have changed.
        now = datetime.now(UTC)
        last = WaitingNotification(id="none", subject="the last", at=now, until=now)
        await NotificationGateway(temporal).put_off("soc", last)
        for case in cases:
            (delivery,) = await outcomes(deployment, case)
            assert delivery.outcome == "notified"
        details = [one.detail for one in deployment.audit() if one.kind is RecordKind.NOTIFIED]

    assert [one["type"] for one in soc.accepted] == ["case.done", "digest"]
    told = soc.accepted[1]["data"]["notifications"]
    assert [one["subject"] for one in told] == [*["[medium] r: Done: 1 moved"] * 2, "the last"]
    assert sorted(map(str, details)) == ["None", *["in a digest after quiet hours"] * 2]


async def test_a_held_case_that_nobody_answers_is_told_to_the_next_channel(
    temporal: Client, tmp_path: Path, soc: WebReceiver, boss: WebReceiver
) -> None:
    """Once, and it says so."""
    simulator, matches = simulated(1)
    channels = escalating(soc, boss)
    async with deployed(temporal, simulator, tmp_path, channels) as deployment:
        await deployment.signal_case(HELD, *matches)
        await _ended(deployment, 2)
        (delivery,) = await outcomes(deployment, HELD)

    assert delivery.outcome == "notified"
    (told,) = boss.accepted
    assert told["type"] == "case.held"
    assert told["data"]["text"].startswith("Nobody has answered in soc.\n")
    assert [one["type"] for one in soc.accepted] == ["case.held"]
    assert told["id"] != soc.accepted[0]["id"]


async def test_a_case_that_was_decided_in_time_is_not_escalated(
    temporal: Client, tmp_path: Path, soc: WebReceiver, boss: WebReceiver
) -> None:
    """The first channel has heard of it, and somebody has answered."""
    simulator, matches = simulated(1)
    channels = escalating(soc, boss, "6s")
    async with deployed(temporal, simulator, tmp_path, channels) as deployment:
        await deployment.signal_case(HELD, *matches)
        await outcomes(deployment, HELD)
        digest = (await deployment.cases.proposal(HELD.case_id)).digest
        await deployment.cases.approve(HELD.case_id, person("ana"), digest)
        await deployment.settled(HELD.case_id, CaseState.SETTLED)
        await _ended(deployment, 2)

    assert [one["type"] for one in soc.accepted] == ["case.held", "case.done"]
    assert boss.accepted == []


async def test_a_channel_that_is_down_does_not_keep_the_next_one_from_hearing(
    temporal: Client, tmp_path: Path, boss: WebReceiver
) -> None:
    """The escalation goes on beside the retries."""
    simulator, matches = simulated(1)
    with web_receiver(*[503] * 1000, retry_after="3600") as down:
        async with deployed(temporal, simulator, tmp_path, escalating(down, boss)) as deployment:
            await deployment.signal_case(HELD, *matches)
            await eventually(lambda: _accepted(boss))
    assert down.accepted == []


async def _accepted(receiver: WebReceiver) -> Sequence[Any] | None:
    return receiver.accepted or None


async def _waiting(deployment: Deployment, count: int) -> bool | None:
    query = f"WorkflowType = '{names.NOTIFICATION}' AND {names.STATE_ATTRIBUTE} = 'quiet'"
    return (await deployment.client.count_workflows(query)).count == count or None


async def _ended(deployment: Deployment, count: int) -> None:
    """Wait until so many notifications have ended, with what follows from them."""
    query = f"WorkflowType = '{names.NOTIFICATION}' AND ExecutionStatus = 'Completed'"

    async def there() -> bool | None:
        return (await deployment.client.count_workflows(query)).count == count or None

    await eventually(there)
