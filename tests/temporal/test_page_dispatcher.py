"""Pages that are dispatched in parallel, too slowly, or while the server fails."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.service import RPCError, RPCStatusCode

from clawback.audit import AuditLog, AuditWriter
from clawback.cases import CasePlan, CaseTiming, Match
from clawback.ingest import IngestMemory, IngestResult
from clawback.model.events import EventKind
from clawback.model.mode import Mode
from clawback.model.polling import ReadPage
from clawback.simulator import outbreak
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.fan_out import call_until
from clawback.temporal.match_gateway import (
    Delivery,
    MatchGateway,
    RefusedMatches,
    group_by_recipient,
)
from clawback.temporal.page_dispatcher import PageDispatcher
from tests.workflows.deployment import match_of

MATCHES = [match_of(line) for line in outbreak(3)]
NOW = MATCHES[0].at
REQUEST = ReadPage(source=EventKind.MESSAGE, start=NOW, end=NOW)


def plan(name: str) -> CasePlan:
    """Build the plan of a case of its own."""
    return CasePlan(rule="a_rule", version="v1", mode=Mode.SHADOW, group={"edf_hash": name})


class Recipients(MatchGateway):
    """Cases that note what they get."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.gate = asyncio.Event()
        self.stuck: set[str] = set()
        self.broken: set[str] = set()

    async def deliver(
        self,
        delivery: Delivery,
        timing: CaseTiming,  # noqa: ARG002 - the base class has it
    ) -> list[RefusedMatches]:
        """Note the keys of the matches."""
        keys = [match.key for _, some in delivery.found for match in some]
        if self.stuck & set(keys):
            await self.gate.wait()
        if self.broken & set(keys):
            raise RPCError("no answer", RPCStatusCode.UNAVAILABLE, b"")
        self.got += keys
        return []


def page_of(*matches: Match) -> IngestResult:
    """Build a page on which each match is of a case of its own."""
    found = {plan(one.key).case_id: (plan(one.key), [one]) for one in matches}
    return IngestResult(matches=found, assessed=[(one.key, 1) for one in matches])


@pytest.fixture
def recipients() -> Recipients:
    """Cases that take everything at once."""
    return Recipients()


@pytest.fixture
def dispatcher(recipients: Recipients, tmp_path: Path) -> PageDispatcher:
    """A dispatcher that remembers nothing yet, and never sets anything aside."""
    audit = AuditWriter(AuditLog(tmp_path / "audit.jsonl"), lambda _: None)
    nowhere: None = None
    return PageDispatcher(recipients, nowhere, IngestMemory(), audit, ActivityTelemetry())  # type: ignore[arg-type]  # nothing is refused


def later(seconds: float = 60) -> float:
    """A time of the event loop's clock."""
    return asyncio.get_running_loop().time() + seconds


async def test_two_pages_in_parallel_send_a_match_once(
    recipients: Recipients, dispatcher: PageDispatcher
) -> None:
    """The second waits for the first, and counts what only it has sent."""
    recipients.stuck = {MATCHES[0].key}
    pages = (page_of(*MATCHES[:2]), page_of(*MATCHES))
    sending = asyncio.gather(*(dispatcher.send(REQUEST, page, later()) for page in pages))
    while len(recipients.got) < 2:  # noqa: ASYNC110 - nothing signals it
        await asyncio.sleep(0)
    recipients.gate.set()
    counts = await sending
    assert sorted(recipients.got) == sorted(one.key for one in MATCHES)
    assert sum(one.sent for one in counts) == 3


async def test_what_is_left_when_time_is_up_is_not_taken_for_sent(
    recipients: Recipients, dispatcher: PageDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted as unsent, and the same page sends it, and only it, the next time."""
    monkeypatch.setattr("clawback.temporal.fan_out.GRACE", timedelta(0))
    recipients.stuck = {MATCHES[1].key}
    counts = await dispatcher.send(REQUEST, page_of(*MATCHES), later(0.05))
    assert (counts.sent, counts.unsent) == (2, 1)
    recipients.gate.set()
    counts = await dispatcher.send(REQUEST, page_of(*MATCHES), later())
    assert (counts.sent, counts.unsent) == (1, 0)
    assert sorted(recipients.got) == sorted(one.key for one in MATCHES)


async def test_a_repeated_page_sends_what_the_failed_one_did_not(
    recipients: Recipients, dispatcher: PageDispatcher
) -> None:
    """A server that does not answer for one case fails the page, but not what was sent."""
    recipients.broken = {MATCHES[0].key}
    with pytest.raises(RPCError):
        await dispatcher.send(REQUEST, page_of(*MATCHES), later())
    recipients.broken = set()
    await dispatcher.send(REQUEST, page_of(*MATCHES), later())
    assert sorted(recipients.got) == sorted(one.key for one in MATCHES)


async def test_calls_end_with_their_time_but_at_least_one_round_is_made() -> None:
    """So repeating what is left comes to an end."""
    called = list[int]()

    async def call(item: int) -> None:
        called.append(item)
        await asyncio.sleep(0)

    left: list[int] = list(range(10))
    rounds = 0
    while left:
        left = await call_until(call, left, 4, deadline=0)
        rounds += 1
    assert (rounds, sorted(called)) == (3, list(range(10)))


def test_the_newest_mail_goes_first() -> None:
    """Whatever the order of the API."""
    found = [(plan(one.key), [one]) for one in MATCHES]
    order = [one.found[0][1][0].key for one in group_by_recipient(found)]
    newest_first = sorted(MATCHES, key=lambda one: one.at, reverse=True)
    assert order == [one.key for one in newest_first]
