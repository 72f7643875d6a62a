"""Cases for tests of the console, each with messages of a sender and a rule of its own.

One installation serves all tests of a module: to start one takes longer than most tests.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from temporalio.client import Client

from clawback.cases import CasePlan, CaseState
from clawback.model.mode import Mode
from clawback.settings import Settings
from clawback.simulator import outbreak
from tests.cli.test_case import MOVE
from tests.console.console_site import ConsoleSite, NamedGate, running_console
from tests.waiting import eventually
from tests.workflows.deployment import RULES, Deployment, deployed, match_of
from tests.workflows.test_case import simulated

Mail = list[dict[str, Any]]


@dataclass
class CaseYard:
    """A console over an installation in which each test makes its own cases."""

    site: ConsoleSite
    deployment: Deployment
    _numbers: Iterator[int] = field(default_factory=count)

    def number(self) -> int:
        """Return a number that no other case, sender or rule of this installation has."""
        return next(self._numbers)

    def new_mail(self, messages: int = 2, /, **record: Any) -> Mail:
        """Make the messages of one sender in the simulator; `record` replaces their fields."""
        number = self.number()
        lines = [
            {**line, "message": {**line["message"], **record}}
            for line in outbreak(messages, number, sender=f"s{number}@bad.test")
        ]
        self.deployment.simulator.add(lines)
        return lines

    async def open_case(self, rule: str, mail: Mail, mode: Mode = Mode.APPROVE) -> CasePlan:
        """Open a case, and wait until it is held, or settled if nobody is asked."""
        plan = CasePlan(
            rule=rule,
            version="v1",
            mode=mode,
            group={"edf_hash": f"g{self.number()}"},
            actions=(MOVE,),
        )
        await self.deployment.signal_case(plan, *map(match_of, mail))
        await self.deployment.settled(
            plan.case_id, CaseState.HELD if mode is Mode.APPROVE else CaseState.SETTLED
        )
        return plan

    async def knows(self, plans: Sequence[CasePlan], state: str = CaseState.HELD) -> None:
        """Wait until the console lists cases in a state."""

        async def there() -> bool | None:
            found = [self.site.services.read_model.find(plan.case_id) for plan in plans]
            return all(case is not None and case.state == state for case in found) or None

        await eventually(there)

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
async def case_yard(client: Client, folder: Path) -> AsyncIterator[CaseYard]:
    """Run workers, simulator and console until the block is left."""
    async with deployed(client, simulated([]), folder, judges_undo=True) as deployment:
        settings = Settings(
            rules=RULES,
            api_url=deployment.settings.api_url,
            cloudflare_api_token="simulated",
            cloudflare_account_id="0" * 32,
        )
        async with running_console(client, settings) as site:
            yield CaseYard(site, deployment)


def key_of(plan: CasePlan) -> str:
    """What a URL calls a case."""
    return plan.case_id.removeprefix("case/")
