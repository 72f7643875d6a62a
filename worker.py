"""The worker process: settings, clients, activities, workers; no logic.

`python -m worker` (or `clawback worker`) runs until SIGTERM or SIGINT and then lets running
activities finish. It exits 0 after that, and otherwise with one log line and a documented exit code
(docs/operations/commands.md) for its supervisor.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn
from uuid import uuid4

import structlog
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import (
    Worker,
    WorkerConfig,
    WorkerDeploymentConfig,
    WorkflowRunner,
)

from activities import activity_types, bind_activities
from activities.audit import AuditActivities
from activities.containment import ContainmentActivities
from activities.correlation import CorrelationActivities
from activities.guard import GuardActivities
from activities.identity import IdentityActivities
from activities.ingest import IngestActivities
from activities.notifications import NotificationActivities
from activities.parts import PartActivities
from activities.policies import PolicyActivities
from activities.pollers import PollerActivities
from activities.reconciliation import ReconciliationActivities
from activities.reserved_moves import ReservedMoveActivities
from activities.set_aside import SetAsideActivities
from activities.undo import UndoActivities
from clawback.cli.exits import ExitCode, exit_now
from clawback.cloudflare import EmailSecurity, Share
from clawback.identity.permission import Policy
from clawback.ingest import Ingest
from clawback.model.events import EventKind
from clawback.model.folders import AccountProviders
from clawback.notifications import ChannelFileError, Notifier, read_channels
from clawback.private_files import describe_hidden, hide, hide_new_files
from clawback.rules import RuleErrors
from clawback.rules.act_check import ActCheck
from clawback.rules.live import LiveRules
from clawback.secret_files import SecretUnreadable
from clawback.services.audit_keeper import AuditKeeper
from clawback.services.background import Services
from clawback.services.configuration import (
    build_budgets,
    build_check,
    build_policy,
    build_undo_policy,
    channels_for_rules,
    connect_api,
    poller_starts,
)
from clawback.services.monitors import begin_monitoring
from clawback.services.never_block_watcher import NeverBlockWatcher
from clawback.services.refusal_reporter import RefusalReporter
from clawback.services.rule_reload_reporter import RuleReloadReporter
from clawback.services.secret_watcher import SecretWatcher
from clawback.services.version_monitor import VersionMonitor
from clawback.services.worker_monitor import WorkerMonitor
from clawback.settings import Settings, SettingsError, load_settings
from clawback.telemetry import (
    TelemetryUnavailable,
    configure_logging,
    join_health,
    metrics,
    serve_metrics,
)
from clawback.telemetry.activity_interceptor import ActivityInterceptor
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.telemetry.exposition import Scrape
from clawback.telemetry.metric_labels import label_all
from clawback.telemetry.metric_series import initialise_names
from clawback.telemetry.probes import ProcessProbes
from clawback.telemetry.runtime import build_runtime
from clawback.telemetry.server import Health, MetricsServer
from clawback.telemetry.supervisor import BackgroundTask, Supervisor
from clawback.telemetry.tracing import TracingUnavailable, start_tracing
from clawback.temporal import names
from clawback.temporal.account_binding import ForeignAccount
from clawback.temporal.activation_memory import LeanWorkflowInterceptor, LeanWorkflowRunner
from clawback.temporal.block_gateway import BlockGateway
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.client import (
    TemporalUnreachable,
    api_key_of,
    connect,
    describe_plaintext,
    lost_server,
)
from clawback.temporal.console_links import PageLinks
from clawback.temporal.data_converter import order_keys
from clawback.temporal.deadlock_detection import be_patient
from clawback.temporal.error_types import EXPECTED
from clawback.temporal.expiry_gateway import ExpiryGateway
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.guard_keeper import build_keeper
from clawback.temporal.heartbeat import HeartbeatInterceptor
from clawback.temporal.key_ring import PayloadKeyError
from clawback.temporal.kill_switch import KillSwitch
from clawback.temporal.live_connection import follow_connection
from clawback.temporal.match_gateway import MatchGateway
from clawback.temporal.namespace_checks import NamespaceNotReady, check_namespace
from clawback.temporal.notification_gateway import NotificationGateway
from clawback.temporal.own_submissions import OwnSubmissions
from clawback.temporal.page_dispatcher import PageDispatcher
from clawback.temporal.poll_health import PollHealth
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.reconciler import Reconciler
from clawback.temporal.reconciliation_gateway import ReconciliationGateway
from clawback.temporal.request_slots import QUEUE_RATES, RequestSlots, slots_of_queues, tuner_of
from clawback.temporal.set_aside_gateway import SetAsideGateway
from clawback.temporal.suspension import SuspensionPermit
from clawback.temporal.watchdog import create_watchdog
from clawback.temporal.worker_versions import deployment_config, take_over
from workflows import WORKFLOWS, workflow_types
from workflows.guard import GuardWorkflow

SHUTDOWN_GRACE = timedelta(seconds=8)
"""How long running activities may go on after SIGTERM; `clawback up` promises to end in 10 s."""
CONCURRENT_ACTIVITIES = 200
"""Per queue. Cases that move at the same moment share a request, so there should be many."""
CONCURRENT_RESERVATIONS = 500
"""Reservations made at the same moment share one update, so a burst needs few updates."""
HEARTBEAT_INTERVAL = timedelta(seconds=2)
"""How often the server hears of a running activity; `suspension` relies on it."""
CACHED_WORKFLOWS = 400
"""Workflows that a worker keeps in memory: 48 MiB, at 120 KiB for a small case.

One that is not kept is replayed from its history when something happens to it. Most open cases wait
for late messages, so that few are (ADR 35).
"""
_MANY_ACTIVITIES: dict[str, Any] = {"max_concurrent_activities": CONCURRENT_ACTIVITIES}
WORKFLOW_RUNNER = LeanWorkflowRunner()
"""Runs workflow code as it is. Tests run it in the strict sandbox, where forbidden calls raise.

The sandbox is entered several times for every payload, a quarter of the CPU time of a worker
(ADR 8).
"""
log = structlog.get_logger("clawback")


@dataclass(frozen=True)
class Components:
    """Everything of one worker process that is built over its clients.

    `queue` is the task queue on which this process alone reads pages; `slots` those of the queues
    that wait for the rate limit.
    """

    activities: Mapping[type[Any], object]
    services: Services
    pollers: PollerActivities
    queue: str
    slots: Mapping[str, RequestSlots]


class WorkerProcess:
    """One worker process, from settings to a clean stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._refusals = RefusalReporter()
        self._probes = ProcessProbes()
        self._error: BaseException | None = None

    async def run(self) -> int:
        """Run until a signal or a fatal error; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

        async with AsyncExitStack() as stack:
            await self._start(stack)
            await self._stop.wait()
            log.info("worker.stopping")

        if self._error is not None:
            log.error("worker.failed", exc_info=self._error)
        return 1 if self._error else 0

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        channels = read_channels(settings.channels)
        rules = LiveRules.load(
            settings.rules, channels_for_rules(settings, channels), settings.safety
        )
        rules.use_providers(AccountProviders(stated=settings.providers))

        stop_tracing = start_tracing(settings.tracing, "clawback-worker")
        stack.push_async_callback(asyncio.to_thread, stop_tracing)
        telemetry = build_runtime(settings.labels)
        temporal_key = api_key_of(settings)
        client = await connect(settings, runtime=telemetry.runtime, on_refused=self._refusals.note)
        if plaintext := describe_plaintext(client.service_client.config):
            log.warning("worker.temporal_without_tls", detail=plaintext)
        await check_namespace(client, settings.lookback_of(EventKind.SUBMISSION))
        keeper = build_keeper(settings, client)
        await create_watchdog(client, await keeper.open())

        versioning = deployment_config(settings)
        monitor = WorkerMonitor(client, telemetry.scrape, versioning.version)
        versions = VersionMonitor(client, versioning.version)
        tasks = Supervisor()
        metrics.show_failed_tasks(tasks)
        stack.enter_context(self._serve_metrics(client, telemetry.scrape, tasks, monitor, versions))
        permit = SuspensionPermit(KillSwitch(keeper))
        for task, work in {
            BackgroundTask.EVENT_LOOP: self._probes.watch,
            BackgroundTask.PROGRESS: monitor.watch,
            BackgroundTask.VERSIONS: versions.watch,
            BackgroundTask.SUSPENSION: permit.watch,
            **begin_monitoring(settings, client, channels),
            BackgroundTask.SECRETS: SecretWatcher(client, temporal_key).watch,
        }.items():
            await stack.enter_async_context(tasks.running(task, work))

        api = await stack.enter_async_context(connect_api(settings, permit))
        _show_rate_limit(api)
        notifier = await stack.enter_async_context(Notifier(channels))
        check = build_check(settings, rules, lambda: keeper.demoted)
        components = build_components(settings, client, api, rules, notifier=notifier, check=check)
        monitor.excuse(components.slots)
        await components.services.never_block.read_domains_at_start()
        versions.note_current(await take_over(client, settings))
        await self._work(stack, client, components, versioning)
        await components.services.start(stack, tasks, rules, keeper, self._refusals)
        self._probes.note_ready()
        log.info(
            "worker.started",
            build=versioning.version.build_id,
            mode=settings.ceiling.value,
            rules_version=rules.current.version,
            api=settings.api_url,
        )

    def _serve_metrics(self, client: Client, scrape: Scrape, *checks: Health) -> MetricsServer:
        settings = self._settings
        intervals = {source: settings.interval_of(source) for source in EventKind}
        health = join_health(*checks, PollHealth(PollerGateway(client), intervals))
        probes = {"/livez": self._probes.find_hang, "/readyz": self._probes.find_unready}
        registry = label_all(metrics.REGISTRY, settings.labels)
        server = serve_metrics(settings.metrics, [scrape], health, registry, probes=probes)
        initialise_names(activity_types(), workflow_types())
        return server

    async def _work(
        self,
        stack: AsyncExitStack,
        client: Client,
        components: Components,
        versioning: WorkerDeploymentConfig,
    ) -> None:
        workers = build_workers(client, components, versioning, self._fail)
        follow_connection(client, workers)
        for worker in workers:
            await stack.enter_async_context(worker)
        await components.pollers.start_pollers()
        await ReconciliationGateway(client).ensure_schedule()

    async def _fail(self, error: BaseException) -> None:
        self._error = error
        self._stop.set()


def _show_rate_limit(api: EmailSecurity) -> None:
    metrics.API_RATE_LIMIT_REMAINING.set_function(lambda: api.rate_limit.remaining)
    metrics.API_RATE_LIMIT_RESET_SECONDS.set_function(
        lambda: api.rate_limit.resets_in.total_seconds()  # noqa: PLW0108 - asked anew each time
    )


def build_components(  # noqa: PLR0913 - what a worker is built from
    settings: Settings,
    client: Client,
    api: EmailSecurity,
    rules: LiveRules,
    *,
    notifier: Notifier | None = None,
    check: ActCheck | None = None,
    policy: Callable[[], Policy] | None = None,
) -> Components:
    """Build activities and services over one Temporal client, API client and rule folder.

    `check` says what may be done now, `policy` what is asked of people; by default rules and
    settings do.
    """
    telemetry = ActivityTelemetry()
    audit_keeper = AuditKeeper(settings, telemetry.record_audit)
    audit = audit_keeper.writer
    guard, own = GuardGateway(client), OwnSubmissions(client)
    check = check or build_check(settings, rules)
    pollers = PollerActivities(PollerGateway(client), audit, poller_starts(settings))
    queue = names.worker_queue(uuid4().hex)
    ingest = _build_ingest(settings, api, rules, own)
    matches = MatchGateway(client)
    containment = ContainmentActivities(api, rules, telemetry, own, check)
    guarding = GuardActivities(guard, build_budgets(settings, rules), check, audit, telemetry)
    dispatcher = PageDispatcher(matches, SetAsideGateway(client), ingest.memory, audit, telemetry)
    activities = (
        IngestActivities(ingest, dispatcher, telemetry, queue=queue),
        SetAsideActivities(matches),
        PartActivities(CaseGateway(client)),
        CorrelationActivities(CaseGateway(client), lambda: rules.current, settings.ceiling),
        containment,
        PolicyActivities(api, check, settings.deployment, ExpiryGateway(client)),
        ReconciliationActivities(
            Reconciler(api, client, settings.deployment), audit, settings.ceiling
        ),
        UndoActivities(api, client, own, guard, build_undo_policy(settings, rules)),
        guarding,
        ReservedMoveActivities(guarding, containment, may_send=lambda: not api.delay(Share.ACTING)),
        AuditActivities(audit),
        IdentityActivities(
            order_keys(client.data_converter.payload_codec), policy or build_policy(settings, rules)
        ),
        NotificationActivities(
            notifier or Notifier({}),
            api,
            rules,
            links=PageLinks.of(settings, client.namespace),
            gateway=NotificationGateway(client),
            audit_head=lambda: audit_keeper.published,
        ),
        pollers,
    )
    services = Services(
        audit_keeper=audit_keeper,
        reload_reporter=RuleReloadReporter(rules, audit),
        never_block=NeverBlockWatcher(api, rules, BlockGateway(client), audit),
    )
    slots = slots_of_queues(api, CONCURRENT_ACTIVITIES)
    return Components({type(one): one for one in activities}, services, pollers, queue, slots)


def _build_ingest(
    settings: Settings, api: EmailSecurity, rules: LiveRules, own: OwnSubmissions
) -> Ingest:
    return Ingest(
        api,
        lambda: rules.current,
        ceiling=settings.ceiling,
        age_limit=settings.age_limit,
        is_ours=own.is_ours,
    )


def build_workers(
    client: Client,
    components: Components,
    versioning: WorkerDeploymentConfig,
    on_failure: Callable[[BaseException], Awaitable[None]] | None = None,
    runner: WorkflowRunner = WORKFLOW_RUNNER,
) -> list[Worker]:
    """Build one worker per task queue, and one for the queue of this process alone.

    The guard's worker is the first, so that it stops last: cases that drain may still ask it.
    """
    ours = [
        ActivityInterceptor(EXPECTED, names.describe_workflow),
        HeartbeatInterceptor(),
        LeanWorkflowInterceptor(),
    ]
    shared: Any = WorkerConfig(
        graceful_shutdown_timeout=SHUTDOWN_GRACE,
        on_fatal_error=on_failure,
        max_heartbeat_throttle_interval=HEARTBEAT_INTERVAL,
        interceptors=ours,
        disable_eager_activity_execution=True,
    )
    workers = [
        Worker(
            client,
            task_queue=queue,
            activities=bind_activities(queue, components.activities),
            deployment_config=versioning,
            max_task_queue_activities_per_second=QUEUE_RATES.get(queue),
            **shared,
            **chosen,
        )
        for queue, chosen in _queue_options(components.slots, runner).items()
    ]
    # Never versioned: a deployment version may have few queues, and each process has its own.
    reader = Worker(
        client,
        task_queue=components.queue,
        activities=bind_activities(names.WORKER_QUEUE, components.activities),
        # Else the SDK makes an id of every imported module, which blocks the loop for seconds.
        build_id=versioning.version.build_id,
        **shared,
        **_MANY_ACTIVITIES,
    )
    for worker in workers:
        be_patient(worker)
    return [*workers, reader]


def _queue_options(
    slots: Mapping[str, RequestSlots], runner: WorkflowRunner
) -> dict[str, dict[str, Any]]:
    """The options of the worker of each task queue, in the order in which they start."""
    return {
        names.GUARD_QUEUE: {
            "workflows": [GuardWorkflow],
            "workflow_runner": runner,
            "max_concurrent_activities": CONCURRENT_RESERVATIONS,
        },
        **{queue: {"tuner": tuner_of(own)} for queue, own in slots.items()},
        names.READ_QUEUE: _MANY_ACTIVITIES,
        names.NOTIFICATION_QUEUE: _MANY_ACTIVITIES,
        names.WORKFLOW_QUEUE: {
            "workflows": [one for one in WORKFLOWS if one is not GuardWorkflow],
            "workflow_runner": runner,
            "no_remote_activities": True,
            "max_cached_workflows": CACHED_WORKFLOWS,
        },
    }


def main() -> NoReturn:
    """Run one worker process and leave with its exit code."""
    hide_new_files()
    try:
        settings = load_settings()
        configure_logging(settings.log_format, settings.log_level, sys.stdout)
        if repaired := hide(settings.private_paths()):
            log.warning("worker.files_hidden", detail=describe_hidden(repaired))
        exit_now(asyncio.run(WorkerProcess(settings).run()))
    except (
        SettingsError,
        SecretUnreadable,
        ChannelFileError,
        ForeignAccount,
        PayloadKeyError,
        TracingUnavailable,
    ) as error:
        _leave(error, ExitCode.USAGE)
    except RuleErrors as error:
        _leave(error, ExitCode.NO)
    except RPCError as error:
        _leave(lost_server(error), ExitCode.ENVIRONMENT)
    except (TemporalUnreachable, NamespaceNotReady, TelemetryUnavailable, OSError) as error:
        _leave(error, ExitCode.ENVIRONMENT)


def _leave(error: Exception, code: ExitCode) -> NoReturn:
    log.error("worker.not_started", error=error)
    exit_now(code)


if __name__ == "__main__":
    main()
