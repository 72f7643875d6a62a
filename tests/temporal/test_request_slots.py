"""Slots follow the rate limit: as many as may be sent, none while requests must wait."""

import asyncio
import threading
from typing import Any, cast

import pytest

from clawback.temporal.request_slots import RequestSlots
from tests.waiting import eventually

NOTHING = cast("Any", None)


class Limit:
    """A rate limit that a test sets."""

    def __init__(self, headroom: int) -> None:
        self.headroom = headroom
        self.slots = RequestSlots(lambda: self.headroom)

    def ask(self, count: int) -> list[asyncio.Task[Any]]:
        """Let so many polls ask for a slot."""
        return [asyncio.create_task(self.slots.reserve_slot(NOTHING)) for _ in range(count)]


async def given(tasks: list[asyncio.Task[Any]], count: int) -> None:
    """Wait until so many of the polls have a slot."""

    async def there() -> bool | None:
        return sum(task.done() for task in tasks) >= count or None

    await eventually(there)
    assert sum(task.done() for task in tasks) == count


@pytest.mark.parametrize("headroom", [1, 3])
async def test_as_many_slots_are_given_out_as_requests_may_leave(headroom: int) -> None:
    """The others get one when one is released, from whatever thread that is."""
    limit = Limit(headroom)
    polls = limit.ask(4)
    await given(polls, headroom)
    release = threading.Thread(target=limit.slots.release_slot, args=[NOTHING])
    release.start()
    release.join()
    await given(polls, headroom + 1)
    for poll in polls:
        poll.cancel()


async def test_no_slot_is_given_out_while_requests_must_wait() -> None:
    """They are given out without a release when the limit lets requests through again."""
    limit = Limit(0)
    polls = limit.ask(2)
    assert limit.slots.is_closed
    await asyncio.sleep(0)
    assert not any(poll.done() for poll in polls)
    limit.headroom = 2
    await given(polls, 2)
    assert not limit.slots.is_closed


async def test_a_poll_that_goes_away_takes_no_slot() -> None:
    """A worker that stops cancels its polls; the slot is for the next one."""
    limit = Limit(0)
    gone, stays = limit.ask(2)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    limit.headroom = 1
    await given([stays], 1)


async def test_no_task_comes_past_the_queue() -> None:
    """An eager task would pass a queue that the kill switch has closed."""
    assert Limit(5).slots.try_reserve_slot(NOTHING) is None
