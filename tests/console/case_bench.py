"""Cases for pages of the console: one installation for a whole module, cases for each test.

To start an installation takes longer than most tests. Each case has mail of a sender of its own.
"""

from collections.abc import AsyncIterator, Iterator
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
from tests.console.console_site import ConsoleSite, NamedGate, running_console
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated

Mail = list[dict[str, Any]]


@dataclass
class HeldCase:
    """A case that a test made, and the mail that it is about."""

    plan: CasePlan
    lines: Mail

    @property
    def path(self) -> str:
        """The path of its page."""
        return f"/cases/{key_of(self.plan)}"


@dataclass
class CaseBench:
    """A console over an installation, and what makes cases in it."""

    deployment: Deployment
    site: ConsoleSite
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def number(self) -> int:
        """Return a number that no other case, sender or rule of this installation has."""
        return next(self._numbers)

    async def hold(self, messages: int = 3, **changes: Any) -> HeldCase:
        """Make a case that waits for people, and wait until lists know it."""
        plan, lines = self.new_plan(**changes), self.new_mail(messages)
        await self.open_case(plan, lines)
        return HeldCase(plan, lines)

    def new_mail(self, messages: int, /, **fields: Any) -> Mail:
        """Make a campaign in the simulator; `fields` replace those of each record."""
        seed = self.number()
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
            "group": {"edf_hash": f"group {self.number()}"},
            "actions": (Move(destination=Destination.JUNK),),
        }
        return CasePlan(**{**fields, **changes})

    async def open_case(self, plan: CasePlan, mail: Mail) -> None:
        """Open a case; wait until it is held, or settled if nobody is asked, and lists know it."""
        state = CaseState.HELD if plan.mode is Mode.APPROVE else CaseState.SETTLED
        await self.deployment.signal_case(plan, *map(match_of, mail))
        await self.deployment.settled(plan.case_id, state)
        await self.listed(state, plan)

    async def listed(self, state: CaseState, *plans: CasePlan) -> None:
        """Wait until the lists of the console know cases in some state."""

        async def knows() -> bool | None:
            found = [self.site.services.read_model.find(plan.case_id) for plan in plans]
            return all(case is not None and case.state == state for case in found) or None

        await eventually(knows)

    def moves_of(self, *mail: Mail) -> list[str]:
        """The folders that these messages went to, one entry for each effective move."""
        ids = {line["message"]["id"] for lines in mail for line in lines}
        rows = self.deployment.ledger
        return [
            row["destination"] for row in rows if row["operation"] == "move" and row["id"] in ids
        ]

    def renew(self) -> None:
        """Forget who was let in by the last test, and what browsers said."""
        self.site.gate.role, self.site.gate.name = NamedGate.role, NamedGate.name
        self.site.said.clear()


@asynccontextmanager
async def case_bench(client: Client, folder: Path) -> AsyncIterator[CaseBench]:
    """Run workers, simulator and console until the block is left."""
    async with (
        deployed(client, simulated([]), folder, judges_undo=True) as deployment,
        running_console(client, deployment.settings, deployment.api) as site,
    ):
        yield CaseBench(deployment, site)


def key_of(plan: CasePlan) -> str:
    """What a URL calls a case."""
    return plan.case_id.removeprefix("case/")
