"""Calls made at the same moment become one; each caller gets its own answer or error."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import timedelta

import pytest

from clawback.batching import Batcher, NotSent


class Refusal(Exception):
    """One item spoils a call."""


class Line:
    """A far end that notes what it was sent, and refuses any call with `bad` in it."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.called = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, items: Sequence[str]) -> int:
        """Take a call."""
        self.sent.append(list(items))
        self.called.set()
        await self.open.wait()
        if "bad" in items:
            raise Refusal
        if "broken" in items:
            raise ConnectionError
        return len(items)


async def test_calls_of_one_moment_become_one() -> None:
    """Three callers, one call; each gets the whole answer."""
    line = Line()
    batcher = Batcher(line.send, most=10)
    answers = await asyncio.gather(*(batcher.ask(items) for items in (["a"], ["b", "c"], ["d"])))
    assert answers == [4, 4, 4]
    assert line.sent == [["a", "b", "c", "d"]]


async def test_what_is_asked_while_a_call_is_under_way_goes_into_the_next() -> None:
    """The second call holds all that came meanwhile."""
    line = Line()
    line.open.clear()
    batcher = Batcher(line.send, most=10, pause=timedelta())
    first = asyncio.create_task(batcher.ask(["a"]))
    await line.called.wait()
    later = [asyncio.create_task(batcher.ask([item])) for item in "bc"]
    await asyncio.sleep(0)
    line.open.set()
    assert await asyncio.gather(first, *later) == [1, 2, 2]
    assert line.sent == [["a"], ["b", "c"]]


async def test_no_call_is_larger_than_allowed_unless_one_caller_makes_it_so() -> None:
    """A caller's items stay together."""
    line = Line()
    batcher = Batcher(line.send, most=3)
    await asyncio.gather(
        batcher.ask(["a", "b"]), batcher.ask(["c", "d"]), batcher.ask(list("efgh"))
    )
    assert line.sent == [["a", "b"], ["c", "d"], ["e", "f", "g", "h"]]


async def test_one_spoilt_call_is_repeated_caller_by_caller() -> None:
    """The refusal reaches the caller it is meant for; the others get their answer."""
    line = Line()
    batcher = Batcher(line.send, most=10, spoilt=(Refusal,))
    answers = await asyncio.gather(
        batcher.ask(["a"]), batcher.ask(["bad"]), batcher.ask(["c"]), return_exceptions=True
    )
    assert (answers[0], type(answers[1]), answers[2]) == (1, Refusal, 1)


async def test_a_refused_call_is_halved_until_the_refused_caller_is_alone() -> None:
    """One of sixteen is refused: its halves are sent on, not all sixteen one by one."""
    line = Line()
    batcher = Batcher(line.send, most=100, spoilt=(Refusal,))
    callers = [[f"{number}"] for number in range(15)] + [["bad"]]
    answers = await asyncio.gather(*map(batcher.ask, callers), return_exceptions=True)
    assert [type(answer) for answer in answers] == [int] * 15 + [Refusal]
    assert len(line.sent) == 9
    taken = [item for sent in line.sent if "bad" not in sent for item in sent]
    assert sorted(taken) == sorted(item for (item,) in callers[:-1])


async def test_what_waited_for_too_long_is_not_sent() -> None:
    """The caller is told so; whoever asks after it is served."""
    line = Line()
    line.open.clear()
    batcher = Batcher(line.send, most=1, pause=timedelta(), patience=timedelta(milliseconds=50))
    first = asyncio.create_task(batcher.ask(["a"]))
    await line.called.wait()
    late = asyncio.create_task(batcher.ask(["b"]))
    await asyncio.sleep(0.06)
    line.open.set()
    assert await first == 1
    with pytest.raises(NotSent):
        await late
    assert await batcher.ask(["c"]) == 1
    assert line.sent == [["a"], ["c"]]


async def test_any_other_error_reaches_every_caller() -> None:
    """What is unknown for one is unknown for all; nothing is repeated."""
    line = Line()
    batcher = Batcher(line.send, most=10, spoilt=(Refusal,))
    answers = await asyncio.gather(
        batcher.ask(["a"]), batcher.ask(["broken"]), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [ConnectionError, ConnectionError]
    assert len(line.sent) == 1


async def test_a_caller_that_goes_away_takes_nothing_back() -> None:
    """Its items were asked for; the other callers get their answer."""
    line = Line()
    batcher = Batcher(line.send, most=10)
    gone, stays = (asyncio.create_task(batcher.ask([item])) for item in "ab")
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 2
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await batcher.ask(["c"]) == 1


async def test_what_is_logged_of_a_batch_names_no_caller_unless_it_has_one() -> None:
    """A call sent alone is in the context of its caller, a joined one in that of nobody."""
    case: ContextVar[str] = ContextVar("case", default="none")
    seen: list[tuple[int, str]] = []

    async def send(items: Sequence[str]) -> None:
        seen.append((len(items), case.get()))

    batcher = Batcher(send, most=10, pause=timedelta(milliseconds=5), busy=timedelta())

    async def ask(name: str) -> None:
        case.set(name)
        await batcher.ask([name])

    await asyncio.gather(ask("a"), ask("b"))
    await asyncio.create_task(ask("c"))
    assert seen == [(2, "none"), (1, "c")]
