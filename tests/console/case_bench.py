"""Cases for pages of the console: one installation for a whole module, a case for each test."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from temporalio.client import Client

from clawback.actions import Move
from clawback.cases import CasePlan, CaseState
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from tests.console.console_site import ConsoleSite, running_console
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated


@dataclass
class HeldCase:
    """A case that a test made, and the mail that it is about."""

    plan: CasePlan
    lines: list[dict[str, Any]]

    @property
    def path(self) -> str:
        """The path of its page."""
        return f"/cases/{self.plan.case_id.removeprefix('case/')}"


@dataclass
class CaseBench:
    """A console over an installation, and what makes cases in it."""

    deployment: Deployment
    site: ConsoleSite
    _seeds: Iterator[int] = field(default_factory=lambda: count(1))

    async def hold(self, messages: int = 3, **changes: Any) -> HeldCase:
        """Make a case that waits for people, and wait until lists know it."""
        plan, lines = self.new_plan(**changes), self.new_mail(messages)
        await self.deployment.signal_case(plan, *map(match_of, lines))
        await self.deployment.settled(plan.case_id, CaseState.HELD)
        await self.listed(plan, lambda state: state == CaseState.HELD)
        return HeldCase(plan, lines)

    def new_mail(self, messages: int, **fields: Any) -> list[dict[str, Any]]:
        """Make a campaign in the simulator; `fields` replace those of each record."""
        seed = next(self._seeds)
        lines = list(outbreak(messages, seed, sender=f"s{seed}@bad{seed}.test"))
        for line in lines:
            line["message"].update(fields)
        self.deployment.simulator.add(lines)
        return lines

    def new_plan(self, **changes: Any) -> CasePlan:
        """Build a plan of a group of its own that asks before it moves."""
        fields: dict[str, Any] = {
            "rule": "case_pages",
            "version": "v1",
            "mode": Mode.APPROVE,
            "group": {"edf_hash": f"group {next(self._seeds)}"},
            "actions": (Move(destination=Destination.JUNK),),
        }
        return CasePlan(**{**fields, **changes})

    async def listed(self, plan: CasePlan, fits: Callable[[str], bool]) -> None:
        """Wait until the lists of the console know a case in some state."""

        async def knows() -> bool | None:
            found = self.site.services.read_model.find(plan.case_id)
            return (found is not None and fits(found.state)) or None

        await eventually(knows)

    def moved(self, case: HeldCase) -> list[str]:
        """Which of its messages were moved, one entry for each effective move."""
        ids = {line["message"]["id"] for line in case.lines}
        rows = self.deployment.ledger
        return [row["id"] for row in rows if row["operation"] == "move" and row["id"] in ids]


@asynccontextmanager
async def case_bench(client: Client, folder: Path) -> AsyncIterator[CaseBench]:
    """Run workers, simulator and console until the block is left."""
    async with (
        deployed(client, simulated([]), folder) as deployment,
        running_console(client, deployment.settings, deployment.api) as site,
    ):
        yield CaseBench(deployment, site)
