"""What the pages and the HTTP API work with: one object per process, found by request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from temporalio.client import Client

from clawback.cloudflare import EmailSecurity
from clawback.console.access.view_log import ViewLog
from clawback.console.access.who import Visitor
from clawback.console.changes import Changes
from clawback.console.jobs.backtest_runs import BacktestRuns
from clawback.console.rendering import Renderer
from clawback.console.requests.once_only import OnceOnly
from clawback.console.sources.block_policies import BlockPolicies
from clawback.console.sources.containment_state import ContainmentState
from clawback.console.sources.mail_reader import MailReader
from clawback.console.sources.open_cases import OpenCases
from clawback.console.sources.operations import OperationsReader
from clawback.console.sources.period_reports import PeriodReports
from clawback.console.sources.present_mail import PresentMail
from clawback.console.sources.read_model import ReadModel
from clawback.console.sources.rule_folder import RuleFolder
from clawback.console.sources.safety_limits import SafetyLimits
from clawback.console.sources.undo_record import UndoRecord
from clawback.console.sources.undo_watch import UndoWatch
from clawback.console.static_files import StaticFiles
from clawback.console.stop_attempts import StopAttempts
from clawback.settings import Settings
from clawback.telemetry.supervisor import Supervisor
from clawback.temporal.access_cache import AccessCache
from clawback.temporal.access_gateway import AccessGateway
from clawback.temporal.block_gateway import BlockGateway
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.undo_gateway import UndoGateway
from clawback.temporal.undo_runs import UndoRuns


@dataclass
class Services:
    """The console's dependencies. It is stateless: everything here is a cache or a connection.

    `api` is None without credentials for Cloudflare; pages of single messages need it.
    """

    settings: Settings
    client: Client
    renderer: Renderer = field(default_factory=Renderer)
    files: StaticFiles = field(default_factory=StaticFiles)
    changes: Changes = field(default_factory=Changes)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    api: EmailSecurity | None = None
    tasks: Supervisor = field(default_factory=Supervisor)

    def __post_init__(self) -> None:
        self.cases = CaseGateway(self.client)
        self.guard = GuardGateway(self.client)
        self.undo = UndoGateway(self.client)
        self.blocks = BlockGateway(self.client)
        self.read_model = ReadModel(
            self.client, lambda: self.cases.index_keys, self.changes, self.now
        )
        self.reports = PeriodReports(self.settings, self.client, self.now)
        self.operations = OperationsReader(self.settings, self.client, self.now)
        self.rules = RuleFolder(self.settings)
        self.backtests = BacktestRuns(self.settings, self.now)
        self.block_policies = BlockPolicies(self.settings)
        self.stops = StopAttempts(self.guard)
        self.open_cases = OpenCases(self.settings, self.client, self.rules)
        self.mail = MailReader(self.api)
        self.present = PresentMail(self.api)
        self.views = ViewLog(self.settings)
        self.containment = ContainmentState(self.guard, self.changes, self.now)
        self.limits = SafetyLimits(self.rules)
        self.undos = UndoWatch(UndoRuns(self.client), self.changes)
        self.undo_record = UndoRecord(UndoRuns(self.client), self.now)
        self.access = AccessCache(AccessGateway(self.client))
        self.once: OnceOnly[Any] = OnceOnly(self.now)


def services_of(request: Request) -> Services:
    """Return the services of the process that answers a request."""
    services = request.app.state.services
    assert isinstance(services, Services)  # noqa: S101 - `build_app` has set it
    return services


def visitor_of(request: Request) -> Visitor:
    """Return who sends a request; only for pages that need a role."""
    visitor = request.state.visitor
    assert isinstance(visitor, Visitor)  # noqa: S101 - the gate has let somebody in
    return visitor
