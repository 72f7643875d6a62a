"""Cases that create or search for policies at the same moment share their requests."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.policies import CreatePolicy, FoundPolicy, PolicyActivities
from clawback.actions import BlockSender, ContainmentAction
from clawback.cases.authority import Authority, Objection
from clawback.cloudflare import EmailSecurity
from clawback.model.mode import Mode
from clawback.simulator import Simulator, SimulatorOptions, parse_faults
from clawback.temporal.error_types import ErrorType
from clawback.temporal.expiry_gateway import ExpiryGateway
from tests.cloudflare.support import ACCOUNT, TOKEN


class NoObjection:
    """A check that finds nothing."""

    def find_objection(self, _: Authority, __: ContainmentAction) -> Objection | None:
        """Object to nothing."""
        return None


class House:
    """The activities of one worker, and the simulator behind them."""

    def __init__(self, api: EmailSecurity, simulator: Simulator, client: Client) -> None:
        expiries = ExpiryGateway(client)
        self._activities = PolicyActivities(api, NoObjection(), "clawback", expiries)
        self.simulator = simulator

    async def create(self, *requests: CreatePolicy) -> list[FoundPolicy | BaseException]:
        """Create entries at the same moment."""
        return await self._run(self._activities.create_policy, requests)

    async def find(self, *requests: CreatePolicy) -> list[FoundPolicy | BaseException]:
        """Search for entries at the same moment."""
        return await self._run(self._activities.find_policy, requests)

    @property
    def patterns(self) -> Counter[str]:
        """How often each pattern was created."""
        rows = self.simulator.account.ledger.since(0)
        return Counter(row["pattern"] for row in rows if row["operation"] == "create")

    def count_requests(self) -> int:
        """How many requests there were."""
        return len(self.simulator.account.requests.entries)

    async def _run(self, function: Any, requests: Any) -> list[FoundPolicy | BaseException]:
        running = [ActivityEnvironment().run(function, one) for one in requests]
        results: list[FoundPolicy | BaseException]
        results = await asyncio.gather(*running, return_exceptions=True)
        return results


@asynccontextmanager
async def house(faults: str = "") -> AsyncIterator[House]:
    options = SimulatorOptions(rate=None, seed=5, refuse_duplicates=True)
    simulator = Simulator(replace(options, faults=parse_faults(faults)))
    async with (
        simulator.serve() as url,
        EmailSecurity(url=url, account_id=ACCOUNT, token=TOKEN) as api,
    ):
        # No server is asked by what is tested here.
        yield House(api, simulator, await Client.connect("localhost:1", lazy=True))


def block(pattern: str, owner: str = "case-run:a") -> CreatePolicy:
    """Ask for a block of a pattern, by a case."""
    return CreatePolicy(
        action=BlockSender(pattern=pattern),
        owner=owner,
        comments=f"clawback {owner}",
        authority=Authority(rule="r", mode=Mode.ENFORCE, actions_version=""),
    )


async def test_blocks_of_one_moment_are_created_by_one_request() -> None:
    """Each case gets the entry of its own pattern."""
    requests = [block(f"s{number}@bad.example", f"case-run:{number}") for number in range(40)]
    async with house() as told:
        created = await told.create(*requests)
        assert told.count_requests() == 1
        assert told.patterns == Counter({f"s{number}@bad.example": 1 for number in range(40)})
        assert await told.find(*requests) == created
        assert told.count_requests() == 2
        assert len({one.id for one in created if isinstance(one, FoundPolicy)}) == 40


async def test_one_pattern_that_two_cases_want_is_created_once() -> None:
    """It is the first one's; the other finds that it exists."""
    async with house() as told:
        first, other, again = await told.create(
            block("x@bad.example", "case-run:a"),
            block("X@bad.example", "case-run:b"),
            block("x@bad.example", "case-run:c"),
        )
        assert isinstance(first, FoundPolicy)
        assert isinstance(other, FoundPolicy)
        assert isinstance(again, FoundPolicy)
        assert told.patterns == Counter({"x@bad.example": 1})
        assert first.id == other.id == again.id
        assert [first.is_mine, other.is_mine, again.is_mine] == [True, False, False]


async def test_a_refused_pattern_spoils_no_other() -> None:
    """The batch is all or nothing, so its halves are sent until the bad one is alone.

    This API refuses a pattern that exists.
    """
    good = [block(f"s{number}@bad.example") for number in range(16)]
    bad = block("known@bad.example")
    async with house() as told:
        await told.create(bad)
        *created, refused = await told.create(*good, bad)
        assert isinstance(refused, ApplicationError)
        assert refused.type == ErrorType.INVALID_REQUEST
        assert told.count_requests() <= 1 + 11
        assert all(isinstance(one, FoundPolicy) and one.is_mine for one in created)
        assert set(told.patterns.values()) == {1}
        assert len(told.patterns) == 17


@pytest.mark.parametrize("faults", ["lost_answer=1", "reset=1"])
async def test_after_a_lost_response_every_case_is_told_to_look(faults: str) -> None:
    """The entries exist; a search finds each with its mark, and nothing is created again."""
    requests = [block(f"s{number}@bad.example", f"case-run:{number}") for number in range(8)]
    async with house(faults) as told:
        failures = await told.create(*requests)
        kinds = {one.type for one in failures if isinstance(one, ApplicationError)}
        assert len(failures) == 8
        assert kinds == {ErrorType.UNKNOWN_OUTCOME}
        before = told.patterns
        told.simulator.account.faults.rates = parse_faults("")
        found = await told.find(*requests)
        assert all(isinstance(one, FoundPolicy) for one in found)
        known = [one for one in found if isinstance(one, FoundPolicy) and one.is_mine]
        assert len(known) == before.total()
        assert told.patterns == before
