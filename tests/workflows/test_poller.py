"""Pollers on a real server, against the simulator.

Every record is seen, whatever the API does, and each case hears of it once.
"""

import asyncio
import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from temporalio.client import Client

from clawback.cases import CasePlan, CaseTiming
from clawback.model.audit_record import RecordKind
from clawback.model.events import EventKind, message_event
from clawback.model.mode import Mode
from clawback.model.polling import PollerStart
from clawback.simulator import (
    Order,
    Simulator,
    SimulatorOptions,
    TokenScope,
    outbreak,
    parse_faults,
)
from clawback.temporal.poller_gateway import Beginning, PollerGateway
from clawback.temporal.workflow_calls import UpdateRefused
from tests.people import person
from tests.shipped import shipped_rules
from tests.waiting import eventually
from tests.workflows.conftest import set_option
from tests.workflows.deployment import Deployment, deployed, match_of


def simulated(*campaigns: list[dict[str, Any]], faults: str = "", **options: Any) -> Simulator:
    """Build a simulator that holds these messages."""
    simulator = Simulator(
        replace(SimulatorOptions(rate=None, **options), faults=parse_faults(faults))
    )
    for lines in campaigns:
        simulator.add(lines)
    return simulator


def report_of(line: dict[str, Any], disposition: str, number: int = 7) -> dict[str, Any]:
    """Build the PhishGuard report of a message."""
    message, now = line["message"], datetime.now(UTC).isoformat()
    fields = {
        "to": message["to"],
        "from": message["from"],
        "postfix_id": message["postfix_id"],
        "occurred_at": message["scanned_at"],
    }
    report = {
        "id": number,
        "title": "t",
        "content": "c",
        "priority": "high",
        "disposition": disposition,
        "fields": fields,
        "created_at": now,
    }
    return {"report": report}


def moved(deployment: Deployment) -> list[str]:
    """The messages that were moved, one entry for each effective move."""
    return [row["id"] for row in deployment.ledger if row["operation"] == "move"]


@pytest.mark.parametrize("order", list(Order))
async def test_every_page_of_a_window_is_read(
    temporal: Client, tmp_path: Path, order: Order
) -> None:
    """Two campaigns and clean mail on many small pages.

    Each message of a campaign is moved once, clean mail is not touched.
    """
    bad, worse = list(outbreak(60, seed=1)), list(outbreak(40, seed=2, sender="ceo@other.test"))
    clean = list(outbreak(50, seed=3, disposition="NONE", sender="friend@corp.test"))
    async with deployed(
        temporal, simulated(bad, worse, clean, order=order), tmp_path
    ) as deployment:
        status = await deployment.poll(page_size=20)
        assert (status.seen, status.state) == (150, "polling")
        await eventually(lambda: _moved(deployment, 100))
        await deployment.idle()
        assert sorted(moved(deployment)) == sorted(line["message"]["id"] for line in bad + worse)


async def test_long_message_ids_do_not_stop_polling(temporal: Client, tmp_path: Path) -> None:
    """Two hundred mails with Message-IDs of 20,000 characters are moved, and so is what follows."""
    bad, other = list(outbreak(200, seed=1)), list(outbreak(3, seed=2, sender="ceo@other.test"))
    noise = random.Random(1)  # noqa: S311 - test data
    for line in bad:  # what is random cannot be compressed
        line["message"]["message_id"] = f"<{noise.randbytes(10_000).hex()}@evil.test>"
    async with deployed(temporal, simulated(bad, other), tmp_path) as deployment:
        async with asyncio.timeout(60):
            assert (await deployment.poll()).state == "polling"
        await eventually(lambda: _moved(deployment, 203))


async def test_what_matches_nothing_costs_no_action(temporal: Client, tmp_path: Path) -> None:
    """No case is opened, and nothing but the page is asked for."""
    async with deployed(
        temporal, simulated(list(outbreak(50, disposition="NONE"))), tmp_path
    ) as deployment:
        assert (await deployment.poll()).seen == 50
        assert (await deployment.cases.count(), deployment.requests()) == (
            0,
            deployment.requests("/investigate"),
        )


async def test_reading_again_changes_nothing(temporal: Client, tmp_path: Path) -> None:
    """A rewind delivers everything again; the cases and the ledger stay as they are."""
    lines = list(outbreak(30))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.poll()
        await eventually(lambda: _moved(deployment, 30))
        await deployment.idle()
        before = len(deployment.ledger)
        await deployment.pollers.rewind(
            EventKind.MESSAGE, datetime.now(UTC) - timedelta(hours=1), person("ana")
        )
        assert (await deployment.poll()).turns > 1
        await deployment.idle()
        assert len(deployment.ledger) == before


async def test_a_worker_without_a_memory_changes_nothing(temporal: Client, tmp_path: Path) -> None:
    """A new worker evaluates and signals everything again; the case's own dedupe holds."""
    lines = list(outbreak(30))
    simulator = simulated(lines)
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.poll()
        await eventually(lambda: _moved(deployment, 30))
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.pollers.rewind(
            EventKind.MESSAGE, datetime.now(UTC) - timedelta(hours=1), person("ana")
        )
        assert (await deployment.poll()).matched > 30
        assert len(moved(deployment)) == 30


async def test_a_late_record_is_found(temporal: Client, tmp_path: Path) -> None:
    """A message that appears behind the cursor, within the lookback, is read by the next poll."""
    early = list(outbreak(1, start=datetime.now(UTC) - timedelta(minutes=10)))
    async with deployed(temporal, simulated(), tmp_path) as deployment:
        await deployment.poll()
        deployment.simulator.add(early)
        assert (await deployment.poll()).seen == 1
        await eventually(lambda: _moved(deployment, 1))


@pytest.mark.parametrize(
    "fault", ["500=0.3", "429=0.3", "malformed=0.3", "reset=0.3", "search_202=0.5"]
)
async def test_no_fault_loses_a_page(temporal: Client, tmp_path: Path, fault: str) -> None:
    """Whatever befalls the reads, all 200 messages are seen and moved once."""
    lines = list(outbreak(200))
    async with deployed(temporal, simulated(lines, faults=fault, seed=2), tmp_path) as deployment:
        assert (await deployment.poll(page_size=40)).seen >= 200
        await eventually(lambda: _moved(deployment, 200))
        assert len(moved(deployment)) == len(set(moved(deployment)))


NEEDS_DETECTIONS = """
title: Links
id: 6a3dfb6e-3f0c-4f04-9d0f-0d4b1a4d2c11
name: links
status: stable
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  bad: {final_disposition: MALICIOUS-BEC}
  link: {detections.links.href|contains: evil.test}
  condition: bad and link
level: high
response: {mode: enforce, actions: [move: {destination: JunkEmail}]}
tests:
  - name: yes
    event: {final_disposition: MALICIOUS-BEC, detections: {links: [{href: "http://evil.test/"}]}}
    expect: match
  - {name: no, event: {final_disposition: NONE}, expect: no match}
"""


@pytest.mark.parametrize("fault", ["", "500=0.2,reset=0.1,429=0.1"])
async def test_detections_are_asked_for_once_and_only_where_they_matter(
    temporal: Client, tmp_path: Path, fault: str
) -> None:
    """A failing one postpones its own message alone.

    Clean mail costs nothing; in the end every message is decided and moved.
    """
    (tmp_path / "safety.yml").write_text("{}")
    (tmp_path / "links.yml").write_text(
        NEEDS_DETECTIONS.replace("name: yes", "name: linked").replace("name: no,", "name: clean,")
    )
    bad, clean = list(outbreak(60, seed=1)), list(outbreak(60, seed=2, disposition="NONE"))
    for line in bad:
        line["detections"]["links"] = [{"href": "http://evil.test/x", "text": None}]
    async with deployed(
        temporal, simulated(bad, clean, faults=fault, seed=4), tmp_path / "state", rules=tmp_path
    ) as deployment:
        await deployment.poll()
        await eventually(lambda: _moved(deployment, 60))
        assert sorted(moved(deployment)) == sorted(line["message"]["id"] for line in bad)
        answered = [
            a
            for a in deployment.simulator.account.requests.entries
            if a.path.endswith("/detections") and a.status == 200
        ]
        assert len(answered) <= 60 * (1.2 if fault else 1)


NEW_SENDERS = """
title: New senders
id: 6a3dfb6e-3f0c-4f04-9d0f-0d4b1a4d2c12
name: new_senders
status: stable
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  bad: {final_disposition: MALICIOUS-BEC}
  new: {history.messages: 0}
  condition: bad and new
level: high
response: {mode: enforce, actions: [move: {destination: JunkEmail}]}
tests:
  - name: new
    event: {final_disposition: MALICIOUS-BEC, history: {messages: 0}}
    expect: match
  - {name: clean, event: {final_disposition: NONE}, expect: no match}
"""


async def test_senders_are_searched_once_and_only_where_it_matters(
    temporal: Client, tmp_path: Path
) -> None:
    """One search serves all mail of a sender and both lanes; of clean mail nobody is searched."""
    (tmp_path / "safety.yml").write_text("{}")
    (tmp_path / "new_senders.yml").write_text(NEW_SENDERS)
    senders = {number: f"s{number}@bad.test" for number in (1, 2, 3)}
    bad = [
        line
        for number, sender in senders.items()
        for line in outbreak(20, seed=number, sender=sender)
    ]
    clean = list(outbreak(20, seed=9, sender="clean@good.test", disposition="NONE"))
    async with deployed(
        temporal, simulated(bad, clean), tmp_path / "state", rules=tmp_path
    ) as deployment:
        await deployment.poll()
        await deployment.poll()
        await eventually(lambda: _moved(deployment, 60))
        searched = Counter(
            sender
            for entry in deployment.simulator.account.requests.entries
            if entry.path.endswith("/investigate")
            for sender in parse_qs(entry.query).get("sender", [])
        )
        assert searched == dict.fromkeys(senders.values(), 1)


async def test_a_record_without_an_id_is_rejected_and_stops_nothing(
    temporal: Client, tmp_path: Path
) -> None:
    """It is in the audit with its raw body, once, however often it is read."""
    lines = list(outbreak(3))
    simulator = simulated(lines)
    _lose_id(simulator)
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.poll()
        await deployment.poll()
        await eventually(lambda: _moved(deployment, 2))
        rejected = [
            record for record in deployment.audit() if record.kind is RecordKind.EVENT_REJECTED
        ]
        assert len(rejected) == 1
        assert "edf_hash" in (rejected[0].detail or "")


async def test_a_report_acts_on_its_message(temporal: Client, tmp_path: Path) -> None:
    """A PhishGuard report names a postfix id; the message it is about is found and moved."""
    line = next(iter(outbreak(1, disposition="SUSPICIOUS")))
    async with deployed(temporal, simulated([line]), tmp_path) as deployment:
        deployment.simulator.add([report_of(line, "MALICIOUS")])
        await deployment.poll(EventKind.PHISHGUARD_REPORT)
        await eventually(lambda: _moved(deployment, 1))
        assert moved(deployment) == [line["message"]["id"]]


async def test_a_server_that_ignores_pages_is_not_read_for_ever(
    temporal: Client, tmp_path: Path
) -> None:
    """Reports had no paging before October 2026: a page with more than was asked for is all."""
    lines = list(outbreak(3, disposition="SUSPICIOUS"))
    simulator = simulated(lines, page_reports=False)
    simulator.add([report_of(line, "SPAM", number) for number, line in enumerate(lines)])
    async with deployed(temporal, simulator, tmp_path) as deployment:
        status = await deployment.poll(EventKind.PHISHGUARD_REPORT, page_size=2)
        assert (status.state, status.seen) == ("polling", 3)
        asked = Counter(
            (query["start"][0], query["end"][0])
            for entry in deployment.simulator.account.requests.entries
            if entry.path.endswith("/phishguard/reports")
            for query in [parse_qs(entry.query)]
        )
        assert asked
        # two pages a window; both lanes may read the same one
        assert max(asked.values()) <= 4


async def test_a_paused_poller_reads_nothing_until_it_is_resumed(
    temporal: Client, tmp_path: Path
) -> None:
    """Its status says why, and `poll_now` says what to do first."""
    async with deployed(temporal, simulated(list(outbreak(2))), tmp_path) as deployment:
        await deployment.poll()
        paused = await deployment.pollers.pause(EventKind.MESSAGE, person("ana"), "maintenance")
        assert (paused.state, paused.detail) == ("paused", "maintenance")
        with pytest.raises(UpdateRefused, match="resume it first"):
            await deployment.pollers.poll_now(EventKind.MESSAGE)
        assert (
            await deployment.pollers.resume(EventKind.MESSAGE, person("ana"))
        ).state == "polling"
        assert (await deployment.poll()).state == "polling"


async def test_a_refused_token_degrades_the_poller_and_says_so(
    temporal: Client, tmp_path: Path
) -> None:
    """The status names the problem; nothing is lost, for the cursor has not moved."""
    simulator = simulated(list(outbreak(2)), tokens={"good": TokenScope.WRITE})
    async with deployed(temporal, simulator, tmp_path, cloudflare_api_token="bad") as deployment:
        status = await deployment.poll()
        assert status.state == "degraded"
        assert "unauthenticated" in (status.detail or "")
        assert status.drained_at is None


@pytest.mark.parametrize(
    "temporal", [("limit.historyCount.suggestContinueAsNew=20",)], indirect=True
)
async def test_a_backlog_continues_as_new_between_its_pages(
    temporal: Client, tmp_path: Path
) -> None:
    """Its window takes several runs; nothing is skipped, and no history grows long."""
    lines = list(outbreak(9, start=datetime.now(UTC) - timedelta(minutes=20)))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        status = await deployment.poll(page_size=2)
        runs = [run async for run in temporal.list_workflows("WorkflowId = 'poller/message'")]
        assert len(runs) > 2
        assert max(run.history_length for run in runs) < 100
        assert (status.seen, status.state) == (9, "polling")


async def test_a_quiet_source_costs_little_and_is_still_heard_at_once(
    temporal: Client, tmp_path: Path
) -> None:
    """Many polls are one activity. Mail, a rewind, a poll and a pause do not wait for its end."""
    often = timedelta(seconds=2)
    async with deployed(temporal, simulated(), tmp_path) as deployment, asyncio.timeout(150):
        await deployment.poll(interval=often, start=timedelta(0))
        before, polled = await _events(temporal), deployment.requests()

        async def polled_again() -> bool | None:
            return deployment.requests() >= polled + 6 or None

        await eventually(polled_again)
        assert await _events(temporal) - before <= 8

        deployment.simulator.add(list(outbreak(2)))
        await eventually(lambda: _moved(deployment, 2))

        asked = await deployment.pollers.poll_now(EventKind.MESSAGE)
        assert asked.completed >= asked.requested
        await deployment.pollers.rewind(
            EventKind.MESSAGE, datetime.now(UTC) - timedelta(hours=1), person("ana")
        )
        again = await deployment.poll()
        assert (again.pages, again.backlog) >= (asked.pages + 1, timedelta(0))
        await deployment.pollers.pause(EventKind.MESSAGE, person("ana"), "maintenance")
        await eventually(lambda: _rests(temporal))


async def test_trouble_is_on_record_once_and_so_is_its_end(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a poll fails meanwhile."""
    set_option(monkeypatch, "TROUBLE_PAUSE", timedelta(milliseconds=200))
    tokens = {"good": TokenScope.WRITE}
    simulator = simulated(list(outbreak(1)), tokens=tokens)
    async with deployed(temporal, simulator, tmp_path, cloudflare_api_token="bad") as deployment:
        for _ in range(3):
            assert (await deployment.poll()).state == "degraded"
        tokens["bad"] = TokenScope.WRITE

        async def kinds() -> list[RecordKind] | None:
            found = [one.kind for one in deployment.audit() if one.kind.startswith("poll_")]
            return found if RecordKind.POLL_RECOVERED in found else None

        await eventually(lambda: _reads(deployment))
        assert await eventually(kinds) == [RecordKind.POLL_DEGRADED, RecordKind.POLL_RECOVERED]


@pytest.mark.parametrize("ending", ["terminated", "cancelled", "unreadable"])
async def test_a_poller_continues_where_the_last_one_ended(
    temporal: Client, tmp_path: Path, ending: str
) -> None:
    """Mail of the time without a poller is backlog, however long that took.

    A run that says nothing is in the audit, and polling begins as if it were the first.
    """
    began = datetime.now(UTC)
    async with deployed(temporal, simulated(), tmp_path) as deployment:
        before = await deployment.poll()
        handle = temporal.get_workflow_handle("poller/message")
        if ending == "cancelled":
            await handle.cancel()
            await eventually(lambda: _ended(temporal))
        else:
            await handle.terminate()
        gateway = Forgetful(temporal) if ending == "unreadable" else deployment.pollers

        start = PollerStart(source=EventKind.MESSAGE, start=timedelta(0))
        started = await gateway.start(start)
        expected = Beginning.LOST if ending == "unreadable" else Beginning.INHERITED
        assert started.beginning is expected
        status = await deployment.pollers.status(EventKind.MESSAGE)
        assert (status.turns >= before.turns) is (ending != "unreadable")
        assert began <= (status.checked_to or began) <= datetime.now(UTC)
        assert (await gateway.start(start)).beginning is Beginning.RUNNING


async def test_a_run_that_does_not_answer_is_read_from_its_argument(
    temporal: Client, tmp_path: Path
) -> None:
    """Without a worker nothing answers a query; the new run begins where the last one began."""
    async with deployed(temporal, simulated(), tmp_path) as deployment:
        await deployment.poll()
    await temporal.get_workflow_handle("poller/message").terminate()
    gateway = PollerGateway(temporal)
    start = PollerStart(source=EventKind.MESSAGE, start=timedelta(0))
    assert (await gateway.start(start)).beginning is Beginning.EARLIER
    async with deployed(temporal, simulated(), tmp_path):
        status = await gateway.status(EventKind.MESSAGE)
        assert status.backlog >= timedelta(minutes=59)


async def test_two_workers_signal_each_match_once(temporal: Client, tmp_path: Path) -> None:
    """One worker reads all pages, so what it has dispatched is not counted again."""
    lines = list(outbreak(60))
    simulator = simulated(lines)
    other = await Client.connect(
        temporal.service_client.config.target_host,
        namespace=temporal.namespace,
        data_converter=temporal.data_converter,
    )
    async with (
        deployed(temporal, simulator, tmp_path) as deployment,
        deployed(other, simulator, tmp_path / "other"),
    ):
        first = await deployment.poll(page_size=10)
        await deployment.pollers.rewind(
            EventKind.MESSAGE, datetime.now(UTC) - timedelta(hours=1), person("ana")
        )
        second = await deployment.poll()
        assert second.pages > first.pages + 5
        assert (first.seen, second.seen) == (60, 60)
        rules = shipped_rules()
        events = [message_event(line["message"], datetime.now(UTC)) for line in lines]
        matches = sum(len(rules.evaluate(event).matches) for event in events)
        assert second.matched == first.matched == matches
        assert second.worker == first.worker


async def test_a_sweep_does_not_open_a_closed_case_anew(temporal: Client, tmp_path: Path) -> None:
    """What a closed case has is left out, whatever the worker remembers; new messages are not."""
    known, new = (match_of(line) for line in outbreak(2))
    plan = CasePlan(rule="swept", version="v1", mode=Mode.SHADOW, group={"edf_hash": "x"})
    async with deployed(temporal, simulated(), tmp_path) as deployment:
        assert await deployment.cases.drop_known(plan.case_id, [known]) == [known]
        await deployment.signal_case(plan, known, pace=CaseTiming(linger=timedelta(seconds=1)))
        await temporal.get_workflow_handle(plan.case_id).result()
        assert await deployment.cases.drop_known(plan.case_id, [known, new]) == [new]


class Forgetful(PollerGateway):
    """A gateway that can read nothing of a run."""

    async def _read_last_state(self, last: Any) -> Any:
        broken = self.client.get_workflow_handle(last.id, run_id=str(uuid4()))
        return await self._read_first_state(broken, last, LookupError())


async def _ended(temporal: Client) -> bool | None:
    described = await temporal.get_workflow_handle("poller/message").describe()
    return described.close_time is not None or None


def _lose_id(simulator: Simulator) -> None:
    mail = next(iter(simulator.account.mailboxes.by_id.values()))
    record = json.loads(mail.record)
    del record["id"]
    mail.record = json.dumps(record).encode()


async def _moved(deployment: Deployment, count: int) -> bool | None:
    return len(moved(deployment)) >= count or None


async def _events(temporal: Client) -> int:
    described = await temporal.get_workflow_handle("poller/message").describe()
    return described.history_length


async def _rests(temporal: Client) -> bool | None:
    """Whether the poller waits for no activity."""
    described = await temporal.get_workflow_handle("poller/message").describe()
    return not described.raw_description.pending_activities or None


async def _reads(deployment: Deployment) -> bool | None:
    return (await deployment.poll()).state == "polling" or None
