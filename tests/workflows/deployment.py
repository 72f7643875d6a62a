"""A whole installation inside a test.

Real Temporal server, the simulator on a real port, and the workers that production runs.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from temporalio.client import Client
from temporalio.worker import WorkerDeploymentConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from clawback.actions import ContainmentAction
from clawback.audit import read_records
from clawback.cases import CasePlan, CaseState, CaseTiming, Match
from clawback.cases.authority import Authority, Objection
from clawback.cloudflare import EmailSecurity
from clawback.identity.permission import Policy
from clawback.model.audit_record import AuditRecord
from clawback.model.events import EventKind, message_event
from clawback.model.messages import Target
from clawback.model.polling import PollerStart, PollerStatus
from clawback.notifications import Channels, Notifier, traits_of
from clawback.rules.act_check import LiveActCheck
from clawback.rules.engine.ruleset import RuleSet
from clawback.rules.live import LiveRules, fingerprint_of
from clawback.rules.loader import load_reviewed
from clawback.services.background import Services
from clawback.services.configuration import build_check, connect_api
from clawback.settings import SIMULATED_ACCOUNT, Settings
from clawback.simulator import Simulator
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.guard_keeper import GuardKeeper
from clawback.temporal.guard_memory import GuardMemory
from clawback.temporal.kill_switch import KillSwitch
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.worker_versions import deployment_config, take_over
from tests.waiting import eventually
from worker import build_components, build_workers

RULES = Path(__file__).parents[2] / "rules"

# pytest rewrites the asserts of our installed packages, and what it rewrites imports pytest. The
# sandbox would import all of pytest again for every run of every workflow.
STRICT = SandboxedWorkflowRunner(SandboxRestrictions.default.with_passthrough_modules("_pytest"))


_LENIENT = Policy(allows_unverified=True)


@dataclass
class Deployment:
    """What a test needs of a running installation."""

    client: Client
    simulator: Simulator
    settings: Settings
    services: Services
    api: EmailSecurity
    switch: KillSwitch
    keeper: GuardKeeper
    rules: LiveRules

    @property
    def cases(self) -> CaseGateway:
        """Typed access to the cases."""
        return CaseGateway(self.client)

    @property
    def pollers(self) -> PollerGateway:
        """Typed access to the pollers."""
        return PollerGateway(self.client)

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """Every effective change so far."""
        return self.simulator.account.ledger.since(0)

    def requests(self, path: str = "") -> int:
        """How many requests went to paths that end so."""
        return sum(asked.path.endswith(path) for asked in self.simulator.account.requests.entries)

    def audit(self) -> list[AuditRecord]:
        """The audit so far, each record once."""
        return list(read_records(self.settings.audit_file))

    async def signal_case(
        self, plan: CasePlan, *matches: Match, pace: CaseTiming | None = None
    ) -> None:
        """Signal a case."""
        await self.cases.signal_matches(plan, matches, pace or CaseTiming())

    async def poll(self, source: EventKind = EventKind.MESSAGE, **start: Any) -> PollerStatus:
        """Start a poller unless it runs, and let both lanes read everything there is."""
        chosen = {"interval": timedelta(hours=1), "start": timedelta(hours=1), **start}
        await self.pollers.start(PollerStart(source=source, **chosen))
        requested = (await self.pollers.poll_now(source)).requested

        async def read() -> PollerStatus | None:
            status = await self.pollers.status(source)
            is_read = status.completed >= requested and not status.backlog and not status.rereading
            return status if is_read or status.state == "degraded" else None

        return await eventually(read, timedelta(minutes=2))

    async def idle(self) -> None:
        """Wait until there are cases, and none has anything to do."""

        async def there() -> bool | None:
            return (
                await self.cases.count() and not await self.cases.count(CaseState.RESPONDING)
            ) or None

        await eventually(there)

    async def settled(self, case_id: str, state: CaseState = CaseState.SETTLED) -> dict[str, str]:
        """Wait until a case is settled (or in another state); the outcomes of its first action."""

        async def there() -> dict[str, str] | None:
            memory = (await self.cases.status(case_id)).snapshot
            return memory.outcomes[0] if memory and memory.state is state else None

        return await eventually(there)

    async def lease_over(self) -> None:
        """Wait until the worker holds no lease any more, once the kill switch is on."""

        async def refused() -> bool | None:
            return not await self.switch() or None

        await eventually(refused)

    async def scheduled(self, plan: CasePlan, activity_type: str) -> None:
        """Wait until a case has given an activity to its task queue."""
        handle = self.client.get_workflow_handle(plan.case_id)

        async def there() -> bool | None:
            events = (await handle.fetch_history()).events
            scheduled = [one.activity_task_scheduled_event_attributes for one in events]
            return activity_type in {one.activity_type.name for one in scheduled} or None

        await eventually(there)


class CheckWithoutRule(LiveActCheck):
    """Asks for all but the rule: the plans of most tests are of none."""

    def find_objection(self, authority: Authority, action: ContainmentAction) -> Objection | None:
        """Say why a request must not leave; None if it may."""
        return super().find_objection(authority.model_copy(update={"approved": True}), action)


@asynccontextmanager
async def deployed(  # noqa: PLR0913 - each test names the few that matter to it
    temporal: Client,
    simulator: Simulator,
    state: Path,
    channels: Channels = MappingProxyType({}),
    *,
    memory: Path | None = None,
    versioning: WorkerDeploymentConfig | None = None,
    asks_for_rules: bool = False,
    policy: Policy | None = _LENIENT,
    judges_undo: bool = False,
    runner: WorkflowRunner = STRICT,
    **settings: Any,
) -> AsyncIterator[Deployment]:
    """Run simulator and workers until the block is left. Pollers are not started.

    `memory` is the file in which the worker remembers the guard. Nothing watches the guard unless a
    test calls `keeper.keep()`. Unless `asks_for_rules`, plans that are of no rule may act; unless
    `judges_undo`, one person may undo everything. `policy` says what is asked of people, by default
    little; None takes it from rules and settings.
    """
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(simulator.serve())
        chosen = Settings(
            **{"api_url": url, "state": state, "rules": RULES, "age_limit": "off", **settings}
        )
        keeper = keeper_of(temporal, memory)
        await keeper.open()
        switch = KillSwitch(keeper)
        api = await stack.enter_async_context(connect_api(chosen, switch))
        notifier = await stack.enter_async_context(Notifier(channels))
        rules = live_rules(chosen.rules, channels)
        if not judges_undo:
            safety = rules.current.safety.model_copy(update={"undo": "off"})
            rules.current = rules.current.with_safety(safety)
        check = build_check(chosen, rules, lambda: keeper.demoted) if asks_for_rules else None
        components = build_components(
            chosen,
            temporal,
            api,
            rules,
            notifier=notifier,
            check=check or CheckWithoutRule(lambda: rules.current, chosen.ceiling),
            policy=None if policy is None else lambda: policy,
        )
        if versioning is None:
            await take_over(temporal, chosen)
            versioning = deployment_config(chosen)
        for worker in build_workers(temporal, components, versioning, runner=runner):
            await stack.enter_async_context(worker)
        yield Deployment(
            temporal, simulator, chosen, components.services, api, switch, keeper, rules
        )


def live_rules(folder: Path, channels: Channels) -> LiveRules:
    """Load the rules of a test, the shipped ones once a process: compiling takes a second."""
    if folder != RULES or channels:
        return LiveRules.load(folder, traits_of(channels))
    return LiveRules(folder, shipped_rules(), fingerprint_of(folder), {})


@cache
def shipped_rules() -> RuleSet:
    """Load the shipped rules as a worker without channels does."""
    return load_reviewed(RULES, {})


def keeper_of(
    temporal: Client, memory: Path | None = None, account: str = SIMULATED_ACCOUNT
) -> GuardKeeper:
    """Build a keeper of the guard, with a memory of its own."""
    return GuardKeeper(GuardGateway(temporal), account, GuardMemory("test", memory))


def match_of(line: dict[str, Any]) -> Match:
    """Build the match of a corpus line."""
    now = datetime.now(UTC)
    event = message_event(line["message"], now)
    return Match(
        key=event.key, at=event.at, seen_at=now, targets=event.targets, handled=event.handled
    )


def unknown_match(name: str) -> Match:
    """Build the match of a message that the API does not know."""
    now = datetime.now(UTC)
    return Match(
        key=f"{EventKind.MESSAGE}/{name}", at=now, seen_at=now, targets=(Target(id=name, at=now),)
    )
