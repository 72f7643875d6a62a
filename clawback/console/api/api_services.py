"""What the operations of the API work with: gateways over one Temporal client, rules, settings."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from temporalio.client import Client

from clawback.case_files.case_file_reader import CaseFileReader
from clawback.case_files.undo_preview import UndoJudge, read_undo_limits
from clawback.cases.undo_judgement import UndoLimits
from clawback.console.jobs.child_job import JobFailed
from clawback.inventory.rule_catalogue import RuleCatalogue
from clawback.local.worker_api import open_worker_api
from clawback.settings import Settings
from clawback.temporal.access_cache import AccessCache
from clawback.temporal.access_gateway import AccessGateway
from clawback.temporal.block_gateway import BlockGateway
from clawback.temporal.case_pages import CasePages
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.undo_gateway import UndoGateway

RuleReader = Callable[[], Awaitable[RuleCatalogue]]
LimitReader = Callable[[], Awaitable[UndoLimits | None]]


async def read_no_rules() -> RuleCatalogue:
    """Read no rules: there are none here."""
    return RuleCatalogue(problem="this API reads no rules")


@dataclass
class ApiServices:
    """Caches and connections only: the API keeps nothing.

    `read_rules` gives the rules of the folder, or raises `JobFailed`; `read_limits` what
    one person may undo alone, by default those of the settings. `shared_access` is what the pages
    of the same process know of tokens and revoked sessions.
    """

    client: Client
    settings: Settings
    read_rules: RuleReader = read_no_rules
    read_limits: LimitReader | None = None
    shared_access: AccessCache | None = None
    access: AccessCache = field(init=False)

    def __post_init__(self) -> None:
        self.access = self.shared_access or AccessCache(AccessGateway(self.client))
        self.cases = CasePages(self.client)
        self.undo = UndoGateway(self.client)
        self.guard = GuardGateway(self.client)
        self.blocks = BlockGateway(self.client)
        self.pollers = PollerGateway(self.client)

    async def open_files(self) -> CaseFileReader:
        """Return what reads the files of cases, with the rules as they are now."""
        try:
            facts = (await self.read_rules()).facts
        except JobFailed:
            facts = None
        return CaseFileReader(self.client, facts)

    async def open_judge(self) -> UndoJudge:
        """Return what judges undos as the worker will."""
        settings = self.settings
        if self.read_limits is not None:
            limits = await self.read_limits()
        else:
            limits = await asyncio.to_thread(read_undo_limits, settings.rules, settings.safety)
        return UndoJudge(self.client, lambda: open_worker_api(settings), limits)
