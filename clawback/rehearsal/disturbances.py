"""What a rehearsal does to its processes while they work: kills and freezes.

To add one, add a subclass of `Disturbance` and list it in `plan_disturbances`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from random import Random
from typing import ClassVar

from clawback.rehearsal.environment import RehearsalEnvironment
from clawback.rehearsal.plan import Rehearsal
from clawback.rehearsal.progress import Progress

# The workflows of a killed worker take ten seconds to continue; do not kill the next one earlier.
_STALLED_SECONDS = 20.0
_POLL_SECONDS = 0.05
_LATEST_SHARE = 0.9
_MAX_DELAY = 0.5
_FREEZE_SECONDS = (2.0, 15.0)
"""Shorter and longer than a heartbeat timeout."""


class Disturbance(ABC):
    """One kind of disturbance. `name` is its plural, for the summary."""

    name: ClassVar[str]

    @abstractmethod
    async def strike(self, environment: RehearsalEnvironment, random: Random) -> None:
        """Disturb one process, chosen at random."""


class WorkerKill(Disturbance):
    """SIGKILL of a worker, which is restarted."""

    name = "worker kill"

    async def strike(self, environment: RehearsalEnvironment, random: Random) -> None:
        """Kill a worker."""
        random.choice(environment.workers).kill(expected=True)


class ServerKill(Disturbance):
    """SIGKILL of the Temporal server, which is restarted on the same database."""

    name = "server kill"

    async def strike(
        self,
        environment: RehearsalEnvironment,
        random: Random,  # noqa: ARG002 - there is one server
    ) -> None:
        """Kill the server."""
        environment.kill_server()


class WorkerFreeze(Disturbance):
    """SIGSTOP of a worker for a while: what it began goes on later, or on another worker."""

    name = "worker freeze"

    async def strike(self, environment: RehearsalEnvironment, random: Random) -> None:
        """Freeze a worker, and let it go on."""
        worker = random.choice(environment.workers)
        worker.freeze()
        try:
            await asyncio.sleep(random.uniform(*_FREEZE_SECONDS))
        finally:
            worker.resume()


async def disturb(environment: RehearsalEnvironment, plan: Rehearsal, progress: Progress) -> None:
    """Strike when random shares of the work are done; if it stalls before, strike at once."""
    random = Random(plan.seed)  # noqa: S311 - reproducible on purpose
    schedule = [(random.uniform(0.0, _LATEST_SHARE), one) for one in plan_disturbances(plan)]
    for share, disturbance in sorted(schedule, key=lambda entry: entry[0]):
        # The disturbed processes are others: there is no event to wait for.
        while not await environment.is_ready():  # noqa: ASYNC110 - see above
            await asyncio.sleep(_POLL_SECONDS)

        while _is_early(progress, share):  # noqa: ASYNC110 - see above
            await asyncio.sleep(_POLL_SECONDS)

        await asyncio.sleep(random.uniform(0.0, _MAX_DELAY))
        await disturbance.strike(environment, random)
        progress.note_disturbance(disturbance.name)


def _is_early(progress: Progress, share: float) -> bool:
    return progress.share < share and progress.idle_seconds < _STALLED_SECONDS


def plan_disturbances(plan: Rehearsal) -> Iterator[Disturbance]:
    """Yield the disturbances that a plan asks for, without an order."""
    yield from [WorkerKill()] * plan.kills
    yield from [ServerKill()] * plan.server_kills
    yield from [WorkerFreeze()] * plan.freezes
