"""The client under the rate limit that the server reports."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from clawback.cloudflare import ContainmentStopped, EmailSecurity, RateLimited, Share
from clawback.cloudflare.transport import MAX_DELAY
from tests.cloudflare.support import IID, WINDOW, Ledger, StillClock, client, envelope


def telling(remaining: int, *, quota: int = 100, reset: int = 30) -> dict[str, str]:
    return {
        "Ratelimit": f'"default";r={remaining};t={reset}',
        "Ratelimit-Policy": f'"burst";q={quota};w=60',
    }


def told(remaining: int, clock: StillClock, ledger: Ledger, reset: int = 30) -> EmailSecurity:
    return client(
        lambda _: envelope([], headers=telling(remaining, reset=reset)),
        clock=clock,
        observer=ledger,
    )


async def test_reads_stop_at_the_reserve_and_writes_go_on() -> None:
    """With 30 of 100 left polling is held back without a request; acting and undo continue."""
    clock, ledger = StillClock(), Ledger()
    api = told(30, clock, ledger)
    await api.messages(**WINDOW)
    with pytest.raises(RateLimited) as caught:
        await api.messages(**WINDOW)
    assert (caught.value.retry_after, caught.value.is_local) == (timedelta(seconds=30), True)
    await api.on(Share.ACTING).messages(**WINDOW)
    await api.on(Share.UNDO).move([IID], "Inbox")
    assert [endpoint for endpoint, _ in ledger.rows] == [
        "investigate",
        "investigate",
        "investigate/move",
    ]
    assert clock.slept == []


async def test_a_short_delay_is_waited_for_and_told() -> None:
    """If the reset is near, the request waits, and the observer records the delay."""
    clock, ledger = StillClock(), Ledger()
    api = told(0, clock, ledger, reset=2)
    await api.messages(**WINDOW)
    await api.messages(**WINDOW)
    assert clock.slept == [2.0]
    assert ledger.rows == [("investigate", 200), ("paced", 2.0), ("investigate", 200)]


async def test_the_last_third_is_spread_out() -> None:
    """Below a third, requests keep their distance."""
    clock, ledger = StillClock(), Ledger()
    api = told(50, clock, ledger)
    for _ in range(4):
        await api.messages(**WINDOW)
    assert clock.slept == pytest.approx([3.0, 3.0, 3.0])
    assert max(clock.slept) <= MAX_DELAY + 0.01


async def test_views_share_one_budget() -> None:
    """All shares of one client use one limiter."""
    clock, ledger = StillClock(), Ledger()
    api = told(5, clock, ledger)
    undo = api.on(Share.UNDO)
    await undo.move([IID], "Inbox")
    assert api.rate_limit == undo.rate_limit
    assert (api.rate_limit.remaining, api.rate_limit.quota, api.rate_limit.in_flight) == (5, 100, 0)
    with pytest.raises(RateLimited):
        await undo.move([IID], "Inbox")


async def test_many_at_once_do_not_overrun_the_budget() -> None:
    """A hundred concurrent calls spend no more than what was left above the reserve."""
    clock, sent = StillClock(), 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal sent
        sent += 1
        return envelope([], headers=telling(max(60 - sent, 0)))

    api = client(answer, clock=clock)
    await api.move([IID], "JunkEmail")
    outcomes = await asyncio.gather(
        *(api.move([IID], "JunkEmail") for _ in range(100)), return_exceptions=True
    )
    held_back = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
    assert sent <= 60 - 25
    assert len(held_back) == 101 - sent


async def test_a_cancelled_call_is_not_in_flight_for_ever() -> None:
    """A cancelled call is no longer in flight."""
    started = asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    api = client(answer)  # type: ignore[arg-type] # httpx takes a coroutine too
    call = asyncio.create_task(api.message(IID))
    await started.wait()
    assert api.rate_limit.in_flight == 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert api.rate_limit.in_flight == 0


@pytest.mark.parametrize("share", [None, *Share])
async def test_what_acts_needs_a_permit_right_before_it_leaves(share: Share | None) -> None:
    """Containment is stopped; undo, people and reads are not."""
    ledger, asked = Ledger(), 0

    async def permit() -> bool:
        nonlocal asked
        asked += 1
        return False

    api = client(lambda _: envelope([]), observer=ledger, permit=permit)
    view = api if share is None else api.on(share)
    acts = share in {None, Share.RECLASSIFYING, Share.ACTING, Share.APPROVED}
    for _ in range(30):
        await view.messages(**WINDOW)
        if acts:
            with pytest.raises(ContainmentStopped):
                await view.move([IID], "JunkEmail")
        else:
            await view.move([IID], "JunkEmail")
    assert asked == (30 if acts else 0)
    assert [endpoint for endpoint, _ in ledger.rows].count("investigate/move") == (
        0 if acts else 30
    )
    assert api.rate_limit.in_flight == 0
