"""What is read beside the record of an event, over the simulator: how often, and of whom."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from clawback.cloudflare import EmailSecurity
from clawback.ingest.enrichment import Enricher
from clawback.ingest.sender_search import LIFETIME, SenderSearch
from clawback.model.events import Event, message_event
from clawback.rules import RuleSet
from clawback.simulator import Simulator, outbreak
from tests.http_server import serving
from tests.ingest.test_join import account
from tests.rules.folders import load, responding

NOW = datetime.now(UTC)
SENDER = "billing@vendor.test"


def mail(number: int, hours: float, **fields: Any) -> dict[str, Any]:
    """A message that was scanned some hours ago, each of a campaign of its own."""
    (line,) = outbreak(1, number, start=NOW - timedelta(hours=hours), sender=SENDER)
    return {**line, "message": {**line["message"], **fields}}


def event_of(line: Mapping[str, Any]) -> Event:
    """The event of a line, as it is read now."""
    return message_event(line["message"], NOW)


@asynccontextmanager
async def searching(*lines: dict[str, Any]) -> AsyncIterator[tuple[Simulator, SenderSearch]]:
    """Search an account that holds these messages."""
    async with account(*lines) as (simulator, api):
        yield simulator, SenderSearch(api, asyncio.Semaphore(8))


async def histories(
    search: SenderSearch, *lines: Mapping[str, Any], now: datetime = NOW
) -> list[dict[str, Any]]:
    """The histories of messages, read at once."""
    events = [event_of(line) for line in lines]
    return await asyncio.gather(*(search.read(one.record, one.at, now) for one in events))


async def test_one_search_serves_all_messages_of_a_sender() -> None:
    """Each has its own history, and concurrent readers share the request."""
    lines = [mail(1, 72), mail(2, 48, final_disposition="MALICIOUS"), mail(3, 0.1)]
    async with searching(*lines) as (simulator, search):
        first, second, third = await histories(search, *lines)
        again = await histories(search, lines[2])

    assert [one["messages"] for one in (first, second, third)] == [0, 1, 2]
    assert [one["malicious"] for one in (first, second, third)] == [0, 1, 2]
    assert first["first_seen"] is None
    assert third["first_seen"] == f"{event_of(lines[0]).at:%Y-%m-%dT%H:%M:%SZ}"
    assert again == [third]
    assert len(simulator.account.requests.entries) == 1


async def test_what_a_search_found_is_used_for_a_while() -> None:
    """After its lifetime the sender is searched again."""
    line = mail(1, 0.1)
    async with searching(line) as (simulator, search):
        await histories(search, line, now=NOW - LIFETIME)
        await histories(search, line, now=NOW - timedelta(seconds=1))
        assert len(simulator.account.requests.entries) == 1
        await histories(search, line)
        assert len(simulator.account.requests.entries) == 2


async def test_an_older_message_is_searched_further_back() -> None:
    """What was found for mail of today does not reach thirty days before mail of last week."""
    recent, old, before = mail(1, 0.1), mail(2, 24 * 7), mail(3, 24 * 35)
    async with searching(recent, old, before) as (simulator, search):
        (new,) = await histories(search, recent)
        (of_last_week,) = await histories(search, old)

    assert (new["messages"], of_last_week["messages"]) == (1, 1)
    assert len(simulator.account.requests.entries) == 2


async def test_only_mail_of_the_sender_counts() -> None:
    """The search also finds mail with the address in the envelope; that is of somebody else."""
    forged = mail(1, 48, **{"from": "ceo@corp.example", "envelope_from": SENDER})
    line = mail(2, 0.1)
    async with searching(forged, line) as (_, search):
        (found,) = await histories(search, line)

    assert found["messages"] == 0


async def test_a_message_without_a_sender_has_no_history() -> None:
    """Nothing is searched, and no field has a value."""
    line = mail(1, 0.1, **{"from": None})
    async with searching(line) as (simulator, search):
        assert await histories(search, line) == [{}]
        assert simulator.account.requests.entries == []


async def test_a_page_of_copies_does_not_tell_whether_there_was_other_mail() -> None:
    """Of a campaign of more than a page, nothing is known; older mail on the page is."""
    copies = list(outbreak(1_100, start=NOW - timedelta(hours=1), sender=SENDER))
    async with searching(*copies) as (_, search):
        assert await histories(search, copies[0]) == [{}]

    bodies = [mail(number, 1) for number in range(1_100)]
    async with searching(*bodies) as (_, search):
        (found,) = await histories(search, mail(2_000, 0.1))
        assert found["messages"] == 1_000


async def test_a_search_that_the_api_refuses_tells_nothing() -> None:
    """Unlike a sender that was never seen."""
    with serving(Refusing) as url:
        async with EmailSecurity(url=url, account_id="a", token="t") as api:
            search = SenderSearch(api, asyncio.Semaphore(8))
            assert await histories(search, mail(1, 0.1)) == [{}]


class Refusing(BaseHTTPRequestHandler):
    """Refuses every request as invalid."""

    def do_GET(self) -> None:
        """Answer 400, as the API does."""
        body = b'{"success": false, "errors": [{"code": 7003, "message": "no"}]}'
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


NEW_SENDER = "invoice: {subject|contains: bank}\nnew: {history.messages: 0}\n"
LINKED = "linked: {detections.links.href|contains: evil}\n"


@pytest.mark.parametrize(
    ("condition", "paths"),
    [
        (f"{NEW_SENDER}condition: invoice and new", ["search"]),
        (f"{NEW_SENDER}condition: not invoice and new", []),
        (f"{NEW_SENDER}{LINKED}condition: invoice and new and linked", ["detections"]),
        (
            f"{NEW_SENDER}{LINKED}condition: new and not linked and invoice",
            ["detections", "search"],
        ),
        (f"{NEW_SENDER}{LINKED}condition: invoice and (linked or new)", ["detections", "search"]),
    ],
    ids=["asked", "ruled out", "ruled out by detections", "both", "either"],
)
async def test_a_history_is_read_last_and_only_where_it_matters(
    tmp_path: Path, condition: str, paths: list[str]
) -> None:
    """A rule that the record or the detections decide costs no search."""
    rules = load(tmp_path, {"a_rule.yml": responding(condition)})
    line = mail(1, 0.1)
    async with account(line) as (simulator, api):
        event = await enriched(api, event_of(line), rules)
        found = [one.path.rpartition("/")[2] for one in simulator.account.requests.entries]

    assert [path.replace("investigate", "search") for path in found] == paths
    assert not rules.evaluate(event).undecided


async def test_a_first_message_matches_and_the_second_does_not(tmp_path: Path) -> None:
    """A rule on new senders matches both mailboxes of the first mail, and no later mail."""
    rules = load(tmp_path, {"a_rule.yml": responding(f"{NEW_SENDER}condition: invoice and new")})
    first, copy = outbreak(2, 1, start=NOW - timedelta(hours=3), sender=SENDER)
    later = mail(9, 0.1)
    async with account(first, copy, later) as (_, api):
        matched = [
            bool(rules.evaluate(await enriched(api, event_of(line), rules)).matches)
            for line in (first, copy, later)
        ]

    assert matched == [True, True, False]


async def enriched(api: EmailSecurity, event: Event, rules: RuleSet) -> Event:
    """The event with what the rules ask for."""
    return await Enricher(api, asyncio.Semaphore(8)).enrich(event, rules, NOW)
