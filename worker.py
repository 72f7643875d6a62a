"""The process: settings, logging, metrics, Temporal client, workers; nothing else.

`python -m worker` (or `clawback worker`) runs until SIGTERM or SIGINT, then finishes what it is
doing. It exits 0 after that, and otherwise with one sentence and a documented code
(docs/operations.md), for its supervisor to see.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

import structlog
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.audit import AuditActivities
from activities.containment import ContainmentActivities
from activities.guard import GuardActivities
from activities.ingest import IngestActivities
from activities.never_block import NeverBlockWatcher
from activities.notifications import NotificationActivities
from activities.policies import PolicyActivities
from activities.pollers import PollerActivities
from activities.rule_news import RuleReloadReporter
from activities.undo import UndoActivities
from clawback.actions import ChannelKind
from clawback.audit import AuditLog
from clawback.cli.exits import ExitCode, exit_now
from clawback.cloudflare import EmailSecurity, Permit
from clawback.guard import Budgets
from clawback.ingest import Ingest
from clawback.model.events import EventKind
from clawback.model.polling import PollerStart
from clawback.notifications import ChannelFileError, Channels, Notifier, kinds_of, read_channels
from clawback.rules import RuleErrors
from clawback.rules.live import Change, LiveRules
from clawback.settings import Settings, SettingsError, load_settings
from clawback.telemetry import (
    ApiMetrics,
    TelemetryUnavailable,
    configure_logging,
    metrics,
    serve_metrics,
)
from clawback.telemetry.activity_interceptor import ActivityInterceptor
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.telemetry.runtime import build_runtime
from clawback.temporal import names
from clawback.temporal.block_gateway import BlockGateway
from clawback.temporal.bootstrap import prepare
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.client import TemporalUnreachable, connect
from clawback.temporal.data_converter import PayloadKeyError
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.heartbeat import HeartbeatInterceptor
from clawback.temporal.kill_switch import KillSwitch
from clawback.temporal.own_submissions import OwnSubmissions
from clawback.temporal.poll_health import PollHealth
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.ui_links import workflows_page
from workflows import WORKFLOWS
from workflows.guard import GuardWorkflow

GRACE = timedelta(seconds=8)
"""How long running activities may go on after SIGTERM.

`clawback up` promises to be gone within ten seconds.
"""
AT_ONCE = 200
"""Activities of a queue at the same time.

Cases that move at the same moment share a request, so there should be many.
"""
ASKS_AT_ONCE = 500
"""Asks of the guard at the same time.

Those of one moment share one update, so a burst needs few updates.
"""
QUEUE_RATE = 100.0
"""Activities a second that a queue gives out, to all workers together.

What no header of the API tells is that an address may make 200 requests a second, and there are two
queues whose activities make them (ADR 0003).
"""
API_TIMEOUT = timedelta(seconds=15)
"""How long the API may take to answer.

Shorter than any start-to-close, so that the activity itself says what happened.
"""
READ_DOMAINS = timedelta(seconds=5)
"""How long a worker waits for the domains of the account before it starts with those of safety.yml alone, and asks again later."""
LOOK_AT_SWITCH = timedelta(seconds=5)
"""How often metrics and log are told whether the kill switch is on."""
OUR_OWN_CODE = SandboxRestrictions.default.with_passthrough_modules(
    "workflows", "activities", "clawback"
)
"""Import our workflow code once, not anew for each of thousands of short cases.

Tests prove it under the strict sandbox.
"""
log = structlog.get_logger("clawback")


@dataclass(frozen=True)
class ActivitySet:
    """The activities of one worker, built over one API client."""

    ingest: IngestActivities
    containment: ContainmentActivities
    policies: PolicyActivities
    guard: GuardActivities
    undo: UndoActivities
    records: AuditActivities
    notifications: NotificationActivities
    pollers: PollerActivities
    rules: RuleReloadReporter
    never_block: NeverBlockWatcher


def pollers_of(settings: Settings) -> list[PollerStart]:
    """The pollers that an installation with these settings has."""
    return [
        PollerStart(
            source=source,
            interval=settings.interval_of(source),
            lookback=settings.lookback_of(source),
            start=settings.start,
            page_size=settings.page_size,
        )
        for source in EventKind
    ]


class Process:
    """One worker process, from settings to a clean stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._broken: BaseException | None = None

    async def run(self) -> int:
        """Run until told to stop; the exit code."""
        loop = asyncio.get_running_loop()
        for told in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(told, self._stop.set)
        async with AsyncExitStack() as stack:
            await self._start(stack)
            await self._stop.wait()
            log.info("worker.stopping")
        if self._broken is not None:
            log.error("worker.failed", exc_info=self._broken)
        return 1 if self._broken else 0

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        channels = read_channels(settings.channels)
        rules = LiveRules.load(settings.rules, known_channels(settings, channels))
        telemetry = build_runtime()
        client = await connect(settings, runtime=telemetry.runtime)
        await prepare(client)
        health = PollHealth(
            PollerGateway(client), {source: settings.interval_of(source) for source in EventKind}
        )
        stack.enter_context(serve_metrics(settings.metrics, [telemetry.scrape], health))
        guard = GuardGateway(client)
        await guard.ensure()
        api = await stack.enter_async_context(connect_api(settings, KillSwitch(guard)))
        metrics.API_RATE_LIMIT_REMAINING.set_function(lambda: api.rate_limit.remaining)
        notifier = await stack.enter_async_context(Notifier(channels))
        rooms = build_activities(settings, client, api, rules, notifier)
        with suppress(TimeoutError):
            async with asyncio.timeout(READ_DOMAINS.total_seconds()):
                await rooms.never_block.read_domains()
        for worker in build_workers(client, rooms, self._fail):
            await stack.enter_async_context(worker)
        await rooms.pollers.ensure()

        async def loaded(change: Change) -> None:
            await rooms.rules.loaded(change)
            await rooms.never_block.compare()

        await loaded(Change(None, rules.current.version))
        for task in (rules.watch(loaded), rooms.never_block.watch(), watch_switch(guard)):
            stack.callback(asyncio.create_task(task).cancel)
        log.info(
            "worker.started",
            mode=settings.ceiling.value,
            rules_version=rules.current.version,
            api=settings.api_url,
        )

    async def _fail(self, error: BaseException) -> None:
        self._broken = error
        self._stop.set()


async def watch_switch(guard: GuardGateway) -> None:
    """Show the kill switch in the metrics and the log; nobody acts by this."""
    shown = None
    while True:
        with suppress(RPCError):
            stopped = await guard.is_stopped()
            metrics.CONTAINMENT_STOPPED.set(stopped)
            if stopped is not shown and (stopped or shown is not None):
                log.warning(
                    "worker.containment_stopped" if stopped else "worker.containment_resumed"
                )
            shown = stopped
        await asyncio.sleep(LOOK_AT_SWITCH.total_seconds())


def connect_api(settings: Settings, permit: Permit | None = None) -> EmailSecurity:
    """Build the API client; a simulator takes any token.

    `permit` is the kill switch, for whoever acts.
    """
    fallback = "simulator" if settings.on_simulator else ""
    return EmailSecurity(
        url=settings.api_url,
        account_id=settings.cloudflare_account_id or fallback,
        token=settings.cloudflare_api_token or fallback,
        observer=ApiMetrics(),
        timeout=API_TIMEOUT,
        permit=permit,
    )


def build_activities(
    settings: Settings,
    client: Client,
    api: EmailSecurity,
    rules: LiveRules,
    notifier: Notifier | None = None,
) -> ActivitySet:
    """Build every activity over one Temporal client, one API client, the rules of one folder and the operator's channels, if any."""
    observing, guard = ActivityTelemetry(), GuardGateway(client)
    records = AuditActivities(AuditLog(settings.audit_file), observing)
    own = OwnSubmissions(client)
    intake = Ingest(
        api,
        lambda: rules.current,
        ceiling=settings.ceiling,
        age_limit=settings.age_limit,
        is_ours=own.is_ours,
    )
    return ActivitySet(
        ingest=IngestActivities(intake, CaseGateway(client), records, observing),
        containment=ContainmentActivities(api, rules, observing, own),
        policies=PolicyActivities(api, rules),
        undo=UndoActivities(api, client, own),
        guard=GuardActivities(guard, lambda: budgets_of(settings, rules), observing),
        records=records,
        notifications=NotificationActivities(
            notifier or Notifier({}),
            api,
            rules,
            workflows_page(settings.temporal_ui, client.namespace),
        ),
        rules=RuleReloadReporter(rules, records),
        never_block=NeverBlockWatcher(api, rules, BlockGateway(client), records),
        pollers=PollerActivities(PollerGateway(client), guard, pollers_of(settings)),
    )


def known_channels(settings: Settings, channels: Channels) -> Mapping[str, ChannelKind] | None:
    """What rules may name.

    A rehearsal has no channels and tells nobody: there any may be named, and its notifications fail on
    record.
    """
    return None if settings.channels is None and settings.on_simulator else kinds_of(channels)


def budgets_of(settings: Settings, rules: LiveRules) -> Budgets | None:
    """The budgets that hold now; None on a simulator whose guard is unlimited."""
    return None if settings.guard == "unlimited" else rules.current.safety.budgets.budgets


def build_workers(
    client: Client,
    rooms: ActivitySet,
    on_failure: Callable[[BaseException], Awaitable[None]] | None = None,
    sandbox: SandboxRestrictions = OUR_OWN_CODE,
) -> list[Worker]:
    """Build the workers of a process.

    Containment, reading, notifications, and workflows with the audit as a local activity.

    The guard has a worker of its own, first in the list so that it is the last to stop: cases that
    drain may still ask it. Tests give the strict `sandbox`, in which every run imports the workflow
    code anew and forbidden calls raise (ADR 0008).
    """
    contain, ingest, policies, pollers, undo = (
        rooms.containment,
        rooms.ingest,
        rooms.policies,
        rooms.pollers,
        rooms.undo,
    )
    shared: Any = WorkerConfig(
        graceful_shutdown_timeout=GRACE,
        on_fatal_error=on_failure,
        max_concurrent_activities=AT_ONCE,
        interceptors=[ActivityInterceptor(), HeartbeatInterceptor()],
        disable_eager_activity_execution=True,
    )
    containing: list[Callable[..., Any]] = [
        contain.move_messages,
        contain.release_messages,
        contain.reclassify_message,
        policies.create_policy,
    ]
    finding: list[Callable[..., Any]] = [
        contain.locate_messages,
        contain.find_release,
        contain.search_messages,
        contain.find_submission,
        policies.find_policy,
        policies.remove_policy,
        policies.remove_policies,
    ]
    undoing: list[Callable[..., Any]] = [
        undo.end_case,
        undo.read_case,
        undo.return_messages,
        undo.reclassify_message,
    ]
    reading: list[Callable[..., Any]] = [ingest.read_page, *finding, *undoing, pollers.ensure]
    runner = SandboxedWorkflowRunner(sandbox)
    return [
        Worker(
            client,
            task_queue=names.GUARD_QUEUE,
            workflows=[GuardWorkflow],
            workflow_runner=runner,
            activities=[rooms.guard.reserve, rooms.records.append],
            **{**shared, "max_concurrent_activities": ASKS_AT_ONCE},
        ),
        Worker(
            client,
            task_queue=names.CONTAIN_QUEUE,
            activities=containing,
            max_task_queue_activities_per_second=QUEUE_RATE,
            **shared,
        ),
        Worker(
            client,
            task_queue=names.READ_QUEUE,
            activities=reading,
            max_task_queue_activities_per_second=QUEUE_RATE,
            **shared,
        ),
        Worker(
            client,
            task_queue=names.NOTIFICATION_QUEUE,
            activities=[rooms.notifications.deliver],
            **shared,
        ),
        Worker(
            client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[kind for kind in WORKFLOWS if kind is not GuardWorkflow],
            workflow_runner=runner,
            activities=[rooms.records.append],
            no_remote_activities=True,
            **shared,
        ),
    ]


def main() -> NoReturn:
    """Run one worker process and leave with its exit code."""
    try:
        settings = load_settings()
        configure_logging(settings.log_format, settings.log_level)
        exit_now(asyncio.run(Process(settings).run()))
    except (SettingsError, ChannelFileError) as error:
        _leave(error, ExitCode.USAGE)
    except RuleErrors as error:
        _leave(error, ExitCode.NO)
    except (TemporalUnreachable, TelemetryUnavailable, PayloadKeyError, OSError) as error:
        _leave(error, ExitCode.ENVIRONMENT)


def _leave(error: Exception, code: ExitCode) -> NoReturn:
    log.error("worker.not_started", error=error)
    exit_now(code)


if __name__ == "__main__":
    main()
