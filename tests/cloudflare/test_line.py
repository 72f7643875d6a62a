"""The line before the door.

Never too many inside, never a place lost, the most urgent next; whatever comes, goes, or gives up.
"""

import asyncio
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.cloudflare.priority_limiter import PriorityLimiter
from clawback.cloudflare.rate_limiter import Share

STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "leave", "give up"]), st.integers(0, 5)), max_size=60
)


@dataclass
class Somebody:
    """One who wants in: with a rank, in the order of coming."""

    rank: int
    task: asyncio.Task[None]

    @property
    def is_inside(self) -> bool:
        return self.task.done() and not self.task.cancelled()


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@given(st.integers(1, 4), STEPS)
@settings(max_examples=150)
async def test_the_line_keeps_its_word(most: int, steps: list[tuple[str, int]]) -> None:
    """Held to a list that is sorted anew each time."""
    line, inside, waiting = PriorityLimiter(most), list[Somebody](), list[Somebody]()
    for step, number in steps:
        expected = sorted(waiting, key=lambda one: one.rank)[:1]
        match step:
            case "come":
                waiting.append(Somebody(number, asyncio.create_task(line.enter(number))))
                expected = waiting[-1:] if len(inside) < most else []
            case "leave" if inside:
                inside.pop(number % len(inside))
                line.leave()
            case "give up" if waiting:
                waiting.pop(number % len(waiting)).task.cancel()
                expected = []
            case _:
                continue
        await settle()
        assert [one for one in waiting if one.is_inside] == expected
        waiting = [one for one in waiting if one not in expected]
        inside += expected
        assert len(inside) <= most
    for one in waiting:
        one.task.cancel()
    await settle()
    for _ in inside:
        line.leave()
    assert line._free == most


async def test_who_is_called_and_gives_up_at_the_same_moment_passes_the_place_on() -> None:
    """The place is not lost with them."""
    line = PriorityLimiter(1)
    await line.enter(0)
    first, second = (asyncio.create_task(line.enter(0)) for _ in range(2))
    await settle()
    line.leave()
    first.cancel()
    await settle()
    assert (first.cancelled(), second.done()) == (True, True)


def test_the_ranks_are_those_of_the_shares() -> None:
    """People first, looking closer last."""
    ranked = [
        Share.PEOPLE,
        Share.UNDO,
        Share.APPROVED,
        Share.ACTING,
        Share.POLLING,
        Share.ENRICHING,
    ]
    assert sorted(Share, key=lambda share: share.rank) == ranked
