"""A process that was suspended sends nothing for a while."""

import pytest

from clawback.temporal.suspension import SuspensionPermit


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("ticks_first", [True, False], ids=["tick first", "request first"])
async def test_nothing_is_permitted_after_a_suspension(*, ticks_first: bool) -> None:
    """It does not matter what runs first when the process goes on."""
    clock = Clock()
    permit = SuspensionPermit(_granted, clock)
    assert await permit()
    clock.now += 5.1
    if ticks_first:
        permit.tick()
    assert not await permit()
    clock.now += 4.9
    assert not await permit()
    clock.now += 0.2
    assert await permit()


async def test_a_busy_event_loop_is_no_suspension() -> None:
    """Gaps that end before the server gives an activity up do not count."""
    clock = Clock()
    permit = SuspensionPermit(_granted, clock)
    for _ in range(3):
        clock.now += 4.9
        assert await permit()


async def test_the_other_permit_decides_otherwise() -> None:
    """The kill switch holds."""
    assert not await SuspensionPermit(_refused, Clock())()


async def _granted() -> bool:
    return True


async def _refused() -> bool:
    return False
