"""The priority limiter: never too many inside, no slot lost, lowest rank first."""

import asyncio
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.cloudflare.priority_limiter import PriorityLimiter
from clawback.cloudflare.rate_limiter import Share

STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "leave", "cancel"]), st.integers(0, 5)), max_size=60
)


@dataclass
class Waiter:
    """A task that waits to enter, with its rank."""

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
async def test_slots_go_to_the_lowest_rank_and_none_is_lost(
    most: int, steps: list[tuple[str, int]]
) -> None:
    """Compared with a list that is sorted at each step."""
    limiter, inside, waiting = PriorityLimiter(most), list[Waiter](), list[Waiter]()
    for step, number in steps:
        expected = sorted(waiting, key=lambda one: one.rank)[:1]
        match step:
            case "enter":
                waiting.append(Waiter(number, asyncio.create_task(limiter.enter(number))))
                expected = waiting[-1:] if len(inside) < most else []
            case "leave" if inside:
                inside.pop(number % len(inside))
                limiter.leave()
            case "cancel" if waiting:
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
        limiter.leave()
    assert limiter._free == most


async def test_a_task_cancelled_as_it_enters_passes_its_slot_on() -> None:
    """The slot goes to the next one."""
    limiter = PriorityLimiter(1)
    await limiter.enter(0)
    first, second = (asyncio.create_task(limiter.enter(0)) for _ in range(2))
    await settle()
    limiter.leave()
    first.cancel()
    await settle()
    assert (first.cancelled(), second.done()) == (True, True)


def test_the_ranks_are_those_of_the_shares() -> None:
    """People first, enrichment last."""
    ranked = [
        Share.PEOPLE,
        Share.UNDO,
        Share.APPROVED,
        Share.ACTING,
        Share.POLLING,
        Share.RECLASSIFYING,
        Share.BACKFILLING,
        Share.ENRICHING,
    ]
    assert sorted(Share, key=lambda share: share.rank) == ranked
