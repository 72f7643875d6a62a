"""Several clients and people on one rate limit, counted by the simulator."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import httpx
import pytest

from clawback.cloudflare import EmailSecurity, RateLimited, Share, Unavailable
from clawback.cloudflare.transport import MAX_IN_FLIGHT
from clawback.simulator import Rate, Simulator, SimulatorOptions
from tests.cloudflare.support import ACCOUNT, IID, TOKEN, StillClock, client, envelope

BASE = "http://simulator.test/client/v4"
QUOTA = 400
FOR_PEOPLE = QUOTA // 4


class SharedClock(StillClock):
    """A virtual clock that several tasks sleep on."""

    async def sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        await asyncio.sleep(0)
        self.seconds = max(self.seconds, until)


@dataclass
class Installation:
    """Two clients and a person at the dashboard, with one token and one clock."""

    workers: Sequence[EmailSecurity]
    people: httpx.AsyncClient
    simulator: Simulator
    clock: StillClock

    async def person(self) -> int:
        """Request the dashboard; return the status."""
        answer = await self.people.get(f"/accounts/{ACCOUNT}/email-security/settings/block_senders")
        return answer.status_code

    @property
    def statuses(self) -> list[int | None]:
        """The statuses that the simulator returned, in order."""
        return [one.status for one in self.simulator.account.requests.entries]


@asynccontextmanager
async def running_installation() -> AsyncIterator[Installation]:
    clock = SharedClock()
    simulator = Simulator(SimulatorOptions(rate=Rate(QUOTA, 300), clock=clock.wall_time))
    transport = httpx.ASGITransport(app=simulator.app)
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(
                EmailSecurity(
                    url=BASE, account_id=ACCOUNT, token=TOKEN, transport=transport, clock=clock
                )
            )
            for _ in range(2)
        ]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        people = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)
        )
        yield Installation(workers, people, simulator, clock)


async def work(api: EmailSecurity, share: Share, count: int) -> int:
    """Make concurrent requests of a share; return how many were sent."""
    made = await asyncio.gather(
        *(api.on(share).move([IID], "JunkEmail") for _ in range(count)), return_exceptions=True
    )
    assert all(isinstance(one, tuple | RateLimited) for one in made), made
    return sum(isinstance(one, tuple) for one in made)


@pytest.mark.parametrize(
    "share",
    [
        Share.ENRICHING,
        Share.BACKFILLING,
        Share.RECLASSIFYING,
        Share.POLLING,
        Share.ACTING,
        Share.APPROVED,
        Share.UNDO,
    ],
)
async def test_two_workers_together_leave_the_reserve_of_their_share(share: Share) -> None:
    """The reserve of the share is left, less what both have in flight."""
    async with running_installation() as installed:
        await asyncio.gather(*(work(api, share, QUOTA) for api in installed.workers))
        reserves = {
            Share.ENRICHING: 0.60,
            Share.BACKFILLING: 0.55,
            Share.RECLASSIFYING: 0.50,
            Share.POLLING: 0.40,
            Share.ACTING: 0.25,
            Share.APPROVED: 0.20,
            Share.UNDO: 0.10,
        }
        assert set(installed.statuses) == {200}
        assert QUOTA - len(installed.statuses) >= reserves[share] * QUOTA - MAX_IN_FLIGHT
        assert {await installed.person() for _ in range(QUOTA - len(installed.statuses))} == {200}


async def test_people_are_never_locked_out_whatever_the_workers_want() -> None:
    """Two greedy workers for three windows never lock people out."""
    async with running_installation() as installed:
        seen = set()
        for _ in range(3 * 30):
            await asyncio.gather(
                *(
                    work(api, share, 30)
                    for api in installed.workers
                    for share in (Share.POLLING, Share.ACTING)
                )
            )
            seen |= {await installed.person() for _ in range(2)}
            installed.clock.seconds += 10
        assert seen == {200}
        assert set(installed.statuses) == {200}
        assert len(installed.statuses) > 2 * (QUOTA - FOR_PEOPLE)


async def test_undo_goes_on_where_routine_is_held_back() -> None:
    """A more urgent share continues on either worker when the one before must wait."""
    async with running_installation() as installed:
        for share, more_urgent in (
            (Share.RECLASSIFYING, Share.POLLING),
            (Share.POLLING, Share.ACTING),
            (Share.ACTING, Share.APPROVED),
            (Share.APPROVED, Share.UNDO),
        ):
            await asyncio.gather(*(work(api, share, QUOTA) for api in installed.workers))
            assert [await work(api, more_urgent, 1) for api in installed.workers] == [1, 1]
        await asyncio.gather(*(work(api, Share.UNDO, QUOTA) for api in installed.workers))
        assert await work(installed.workers[0], Share.PEOPLE, 1) == 1
        assert set(installed.statuses) == {200}


async def test_a_block_is_waited_out() -> None:
    """When people have used everything, both workers wait for the reset."""
    async with running_installation() as installed:
        while await installed.person() == 200:
            pass
        before = len(installed.statuses)
        for _ in range(29):
            for api in installed.workers:
                for share in Share:
                    with pytest.raises(RateLimited):
                        await api.on(share).message(IID)
            installed.clock.seconds += 10
        assert installed.statuses[before:] == [429, 429]
        installed.clock.seconds += 20
        assert [await work(api, Share.POLLING, 5) for api in installed.workers] == [5, 5]


class Slow:
    """A server that holds all responses until told, and records requests."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.full = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.came.append(request.url.path.rpartition("/")[2])
        if len(self.came) == MAX_IN_FLIGHT:
            self.full.set()
        await self.open.wait()
        return envelope([])


async def test_in_one_worker_the_most_urgent_goes_next() -> None:
    """With twenty in flight and forty waiting, the most urgent goes next."""
    server = Slow()
    api = client(server)  # type: ignore[arg-type] # httpx takes a coroutine too
    routine = [
        asyncio.create_task(api.on(Share.POLLING).action_log(f"routine{number}"))
        for number in range(60)
    ]
    await server.full.wait()
    urgent = [
        asyncio.create_task(api.on(share).move_one("x", "Inbox"))
        for share in (Share.ACTING, Share.UNDO)
    ]
    gone = asyncio.create_task(api.on(Share.PEOPLE).message("gone"))
    await asyncio.sleep(0)
    gone.cancel()
    with suppress(asyncio.CancelledError):
        await gone
    assert len(server.came) == MAX_IN_FLIGHT
    server.open.set()
    await asyncio.gather(*routine, *urgent)
    assert server.came[MAX_IN_FLIGHT : MAX_IN_FLIGHT + 3] == ["move", "move", "action_log"]
    assert (len(server.came), api.rate_limit.in_flight) == (62, 0)


async def test_whoever_waits_too_long_for_a_turn_may_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was not sent, so it may be repeated."""
    monkeypatch.setattr("clawback.cloudflare.transport.CONNECT_TIMEOUT", 0.01)
    server = Slow()
    api = client(server)  # type: ignore[arg-type] # httpx takes a coroutine too
    under_way = [asyncio.create_task(api.message(IID)) for _ in range(MAX_IN_FLIGHT)]
    await server.full.wait()
    with pytest.raises(Unavailable, match="too many requests are in flight"):
        await api.move([IID], "Inbox")
    server.open.set()
    await asyncio.gather(*under_way, return_exceptions=True)
    await api.move([IID], "Inbox")
    assert len(server.came) == MAX_IN_FLIGHT + 1
