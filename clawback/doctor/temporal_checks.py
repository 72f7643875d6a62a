"""Temporal: the server responds, the namespace offers what is needed, the pollers poll."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from temporalio.client import Client
from temporalio.service import ConnectConfig, RPCError, RPCStatusCode

from clawback.doctor.check import (
    CheckStatus,
    Finding,
    from_sentence,
    ok,
    problem,
    run_check,
    warning,
)
from clawback.doctor.delivery_checks import check_deliveries
from clawback.doctor.policy_checks import check_policies
from clawback.doctor.version_checks import check_builds, check_failing_workflows
from clawback.guard import GuardSnapshot, nearly_used_shares
from clawback.model.durations import format_duration
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.model.texts import plural
from clawback.settings import Settings
from clawback.telemetry.health import max_poll_age
from clawback.temporal.client import (
    TemporalUnreachable,
    connect,
    describe_plaintext,
    read_keys,
)
from clawback.temporal.guard_gateway import GuardGateway, GuardView
from clawback.temporal.key_ring import KeyRing, PayloadKeyError
from clawback.temporal.names import SEARCH_ATTRIBUTES
from clawback.temporal.namespace_checks import (
    UNDO_REACH,
    NoSuchNamespace,
    describe_missing,
    describe_retention,
    describe_wrong_types,
    read_retention,
    read_search_attributes,
    require_namespace,
)
from clawback.temporal.poll_health import is_fresh
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.watchdog import WATCHDOG_SCHEDULE
from clawback.temporal.workflow_calls import NoSuchWorkflow, QueryFailed

_START_WORKER = "start a worker: it registers what is missing"
_MAX_TEXT = 200


async def check_temporal(settings: Settings) -> Iterable[Finding]:
    """Connect, then run each check on the server."""
    try:
        client = await connect(settings)
        await require_namespace(client)
    except NoSuchNamespace as error:
        return [from_sentence("temporal", str(error))]
    except TemporalUnreachable as error:
        remedy = "start the server, or fix TEMPORAL_ADDRESS and its credentials"
        return [problem("temporal", str(error), remedy)]
    except PayloadKeyError as error:
        return [from_sentence("encryption", str(error))]

    return [
        *connection_findings(client.service_client.config, client.namespace),
        encryption_finding(settings, read_keys(settings)),
        *await run_check("search attributes", lambda: check_attributes(client)),
        *await run_check("retention", lambda: check_retention(client, settings)),
        *await run_check("kill switch", lambda: check_guard(GuardGateway(client), settings)),
        *await run_check("builds", lambda: check_builds(client, settings.deployment)),
        *await run_check("workflow tasks", lambda: check_failing_workflows(client)),
        *await run_check("own policies", lambda: check_policies(client)),
        *await run_check("watchdog", lambda: check_watchdog(client)),
        *await run_check("deliveries", lambda: check_deliveries(client, settings)),
        *await run_check("pollers", lambda: check_pollers(PollerGateway(client), settings)),
    ]


def connection_findings(connection: ConnectConfig, namespace: str) -> Iterable[Finding]:
    """Report the server that responds, and that everybody on the way can read it."""
    yield ok("temporal", f"{connection.target_host} responds, namespace {namespace}")
    if plaintext := describe_plaintext(connection):
        yield from_sentence("temporal", plaintext, CheckStatus.WARNING)


def encryption_finding(settings: Settings, keys: KeyRing | None) -> Finding:
    """Report which key encrypts, or that none does."""
    if keys is None:
        found = "payloads are not encrypted: whoever reaches the Temporal server can start a case"
        return warning("encryption", found, "see docs/operations/keys.md to encrypt what is new")
    if settings.encryption == "migrate":
        found = f"key {keys.current.id} encrypts, and payloads without a key are accepted too"
        return warning("encryption", found, "unset CLAWBACK_ENCRYPTION once what is open has ended")

    return ok("encryption", f"key {keys.current.id} encrypts; {plural(len(keys), 'key')} can read")


async def check_attributes(client: Client) -> Iterable[Finding]:
    """Check that the search attributes of cases exist and have the right types."""
    name = "search attributes"
    present = await read_search_attributes(client)
    if wrong := describe_wrong_types(client.namespace, present):
        return [from_sentence(name, wrong)]
    if missing := [one for one in SEARCH_ATTRIBUTES if one not in present]:
        _, _, remedy = describe_missing(client.namespace, missing).partition("; ")
        found = f"{', '.join(missing)}: not registered"
        return [problem(name, found, f"{_START_WORKER}; if it may not, {remedy}")]

    return [ok(name, f"all {len(SEARCH_ATTRIBUTES)} are registered")]


async def check_retention(client: Client, settings: Settings) -> Iterable[Finding]:
    """Check that the namespace keeps closed workflows for as long as undo promises."""
    retention = await read_retention(client)
    if retention is None:
        remedy = f"check yourself that it is at least {format_duration(UNDO_REACH)}"
        return [warning("retention", "this server does not allow reading it", remedy)]

    lookback = settings.lookback_of(EventKind.SUBMISSION)
    if lost := describe_retention(client.namespace, retention, lookback):
        return [from_sentence("retention", lost, CheckStatus.WARNING)]

    return [ok("retention", f"closed workflows are kept for {format_duration(retention)}")]


async def check_guard(guard: GuardGateway, settings: Settings) -> Iterable[Finding]:
    """Check whose namespace this is, whether containment is stopped, and what holds a stop."""
    try:
        view = await guard.look()
    except PayloadKeyError as error:
        return [from_sentence("encryption", str(error))]
    if view is None:
        return [problem("kill switch", "there is no guard: nothing is contained", _START_WORKER)]

    snapshot = await guard.status() if view.is_running else None
    findings = [_kill_switch_finding(view, snapshot)]
    if snapshot is not None:
        findings += budget_findings(snapshot, datetime.now(UTC))
    binding = view.memo.binding if view.memo else None
    if binding and settings.account not in {None, binding.account}:
        found = f"this namespace holds the data of account {binding.account}"
        remedy = "set TEMPORAL_NAMESPACE to the namespace of this account"
        findings.append(problem("account", found, remedy))

    if not await guard.can_close_queues():
        found = "this server lets nobody close a task queue: a stop holds by the lease alone"
        remedy = "nothing to do: `clawback stop` waits until no worker can act"
        findings.append(ok("task queue", found, remedy))

    return findings


def budget_findings(snapshot: GuardSnapshot, now: datetime) -> Iterable[Finding]:
    """Say which shares of the budgets are nearly used, and how many cases wait for room."""
    used = "; ".join(nearly_used_shares(snapshot, now))
    if used:
        remedy = "see what uses them: `clawback case list`; budgets are in safety.yml"
        yield warning("budgets", f"nearly used up: {used}", remedy)
    if waiting := len(snapshot.waiting):
        remedy = "nothing to do, confirm rules, or decide: `clawback case list --state held`"
        yield warning(
            "held cases",
            f"{plural(waiting, 'case')} held until a budget has room or a rule is confirmed",
            remedy,
        )


def _kill_switch_finding(view: GuardView, snapshot: GuardSnapshot | None) -> Finding:
    if not view.is_running or not view.is_noticed:
        found = "the guard was lost: nothing is contained"
        return problem("kill switch", found, "start a worker, which starts it again; then resume")
    if not view.is_stopped:
        return ok("kill switch", "containment is not stopped")

    stop = snapshot.stopped if snapshot else None
    by = f" by {stop.by}: {stop.reason}" if stop else ""
    return warning("kill switch", f"containment is stopped{by}", "`clawback resume` ends it")


async def check_watchdog(client: Client) -> Iterable[Finding]:
    """Check that the schedule that restarts missing pollers exists and runs."""
    try:
        schedule = (await client.get_schedule_handle(WATCHDOG_SCHEDULE).describe()).schedule
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        found = "the schedule that restarts missing pollers does not exist"
        return [problem("watchdog", found, _START_WORKER)]

    if schedule.state.paused:
        found = f"the schedule is paused: {schedule.state.note or 'no reason given'}"
        return [warning("watchdog", found, "unpause it in the Temporal UI")]

    return [ok("watchdog", "the schedule exists")]


async def check_pollers(pollers: PollerGateway, settings: Settings) -> Iterable[Finding]:
    """Ask each poller for its status; a source that was never polled is left out."""
    findings = [
        finding
        for source in EventKind
        for finding in await run_check(
            f"poller {source}", partial(_check_poller, pollers, source, settings)
        )
    ]
    missing = problem("pollers", "no poller was ever started", "start a worker: it starts them")
    return findings or [missing]


async def _check_poller(
    pollers: PollerGateway, source: EventKind, settings: Settings
) -> Iterable[Finding]:
    try:
        return [poller_finding(await pollers.status(source), datetime.now(UTC), settings)]
    except NoSuchWorkflow:
        return []
    except (RPCError, QueryFailed) as error:
        found = f"it does not respond: {str(error)[:_MAX_TEXT]}"
        return [problem(f"poller {source}", found, "start a worker, or check the running one")]


def poller_finding(status: PollerStatus, now: datetime, settings: Settings) -> Finding:
    """Judge the status of a poller."""
    name = f"poller {status.source}"
    last = "no complete poll yet"
    if status.drained_at:
        last = f"last complete poll {format_duration(now - status.drained_at)} ago"

    match status.state:
        case "paused":
            found = f"paused: {status.detail}; {last}"
            return warning(name, found, "resume it with `clawback poll resume`")
        case "degraded":
            found = f"degraded: {status.detail}; {last}"
            return problem(name, found, "it keeps trying; fix what it names")

    if not is_fresh(status, now, max_poll_age(settings.interval_of(status.source))):
        return problem(name, last, "check the worker's log, and that a worker runs")

    backlog = f"; backlog {format_duration(status.backlog)}" if status.backlog else ""
    return ok(name, f"{last}; {status.seen:,} seen, {status.rejected:,} rejected{backlog}")
