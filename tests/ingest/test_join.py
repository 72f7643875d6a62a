"""Joining to messages over the simulator.

Which copy is meant, what a search costs, and how old a memory may be.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from clawback.cloudflare import EmailSecurity
from clawback.ingest.join import Joiner, join_messages
from clawback.model.events import Event, EventKind, build_event, message_event
from clawback.simulator import Simulator, SimulatorOptions, outbreak

NOW = datetime.now(UTC)


def about(line: dict[str, Any], **changes: Any) -> Event:
    """Build the submission of a message by its recipient."""
    message = line["message"]
    record = {
        "submission_id": message["id"],
        "requested_at": NOW.isoformat(),
        "requested_by": message["client_recipients"][0].upper(),
        "subject": message["subject"],
        "original_postfix_id": message["postfix_id"],
    }
    return build_event(EventKind.SUBMISSION, {**record, **changes}, NOW)


@asynccontextmanager
async def account(*lines: dict[str, Any]) -> AsyncIterator[tuple[Simulator, EmailSecurity]]:
    """Run an account that holds these messages."""
    simulator = Simulator(SimulatorOptions(rate=None))
    simulator.add(list(lines))
    async with simulator.serve() as url, EmailSecurity(url=url, account_id="a", token="t") as api:
        yield simulator, api


async def test_the_copy_of_who_submits_is_meant() -> None:
    """Two mailboxes share a postfix id.

    The submitter's own copy is the message, the other a target too.
    """
    first, second = (dict(line["message"]) for line in outbreak(2))
    second["postfix_id"] = first["postfix_id"]
    messages = [message_event(record, NOW) for record in (first, second)]
    event = join_messages(about({"message": second}), messages)
    assert event.record["message"]["id"] == second["id"]
    assert [target.id for target in event.targets] == [second["id"], first["id"]]


async def test_a_message_of_last_week_is_found_by_its_subject() -> None:
    """One search, whoever of the campaign asks."""
    lines = list(outbreak(5, start=NOW - timedelta(days=6)))
    async with account(*lines) as (simulator, api):
        joiner = Joiner(api)
        events = [await joiner.join(about(line), NOW) for line in lines]
        assert [event.targets[0].id for event in events] == [
            line["message"]["id"] for line in lines
        ]
        assert len(simulator.account.requests.entries) == 1


async def test_without_a_subject_only_the_hour_is_searched() -> None:
    """Nothing else narrows it, and a week of all mail would be too much."""
    (near,), (far,) = (
        outbreak(1, start=NOW - timedelta(minutes=5)),
        outbreak(1, seed=1, start=NOW - timedelta(days=1)),
    )
    async with account(near, far) as (_, api):
        joiner = Joiner(api)
        assert (await joiner.join(about(near, subject=None), NOW)).targets
        assert not (await joiner.join(about(far, subject=None), NOW)).targets


async def test_an_old_memory_is_looked_up_again() -> None:
    """What went by lately costs nothing; later it may have been moved, which the rules must see."""
    (line,) = outbreak(1, start=NOW - timedelta(minutes=5))
    async with account(line) as (simulator, api):
        joiner = Joiner(api)
        joiner.remember(message_event(line["message"], NOW), NOW)
        assert not (await joiner.join(about(line), NOW)).handled
        assert simulator.account.requests.entries == []
        await api.move([line["message"]["id"]], "JunkEmail")
        assert (await joiner.join(about(line), NOW + timedelta(hours=1))).handled


async def test_a_submission_that_names_no_message_costs_nothing() -> None:
    """It stays as it is."""
    (line,) = outbreak(1)
    async with account(line) as (simulator, api):
        event = about(line, original_postfix_id=None)
        assert await Joiner(api).join(event, NOW) == event
        assert simulator.account.requests.entries == []
