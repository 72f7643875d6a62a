"""The Temporal server: that it answers, knows our search attributes, has the watchdog, and that the pollers poll."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from clawback.doctor.check import CheckStatus, Finding, look, ok, problem, warning
from clawback.model.durations import format_duration
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.settings import Settings
from clawback.telemetry.health import max_poll_age
from clawback.temporal.bootstrap import WATCHDOG_SCHEDULE
from clawback.temporal.client import TemporalUnreachable, connect
from clawback.temporal.names import SEARCH_ATTRIBUTES
from clawback.temporal.poll_health import is_fresh
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

_WORKER = "start a worker: it registers what is missing"
_SILENT = {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED}


async def check_temporal(settings: Settings) -> Iterable[Finding]:
    """Connect, then look at each matter for itself."""
    try:
        client = await connect(settings)
    except TemporalUnreachable as error:
        return [
            Finding(
                "temporal",
                CheckStatus.PROBLEM,
                str(error),
                "start the server, or mend TEMPORAL_ADDRESS and its credentials",
            )
        ]
    return [
        ok(
            "temporal",
            f"{client.service_client.config.target_host} answers, namespace {client.namespace}",
        ),
        *await look("search attributes", lambda: check_attributes(client)),
        *await look("watchdog", lambda: check_watchdog(client)),
        *await look("pollers", lambda: check_pollers(PollerGateway(client), settings)),
    ]


async def check_attributes(client: Client) -> Iterable[Finding]:
    """Look whether cases can be found by rule, state and mode."""
    name = "search attributes"
    try:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status not in _SILENT:
            raise
        return [
            warning(
                name,
                "this server does not let us look",
                f"see for yourself that it has {', '.join(SEARCH_ATTRIBUTES)} (Keyword)",
            )
        ]
    missing = [one for one in SEARCH_ATTRIBUTES if one not in answer.custom_attributes]
    if missing:
        return [
            problem(
                name,
                f"{', '.join(missing)}: not registered",
                f"{_WORKER}, or register them as Keyword",
            )
        ]
    return [ok(name, f"all {len(SEARCH_ATTRIBUTES)} are registered")]


async def check_watchdog(client: Client) -> Iterable[Finding]:
    """Look whether the schedule stands that restarts a missing poller."""
    try:
        schedule = (await client.get_schedule_handle(WATCHDOG_SCHEDULE).describe()).schedule
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return [problem("watchdog", "there is no schedule that restarts a missing poller", _WORKER)]
    if schedule.state.paused:
        return [
            warning(
                "watchdog",
                f"the schedule is paused: {schedule.state.note or 'no reason given'}",
                "unpause it in the Temporal UI",
            )
        ]
    return [ok("watchdog", "the schedule stands")]


async def check_pollers(pollers: PollerGateway, settings: Settings) -> Iterable[Finding]:
    """Ask each poller where it stands.

    A source that was never polled is left out, for not every installation has all.
    """
    found = [
        finding
        for source in EventKind
        for finding in await look(f"poller {source}", partial(_asked, pollers, source, settings))
    ]
    return found or [
        problem("pollers", "no poller was ever started here", "start a worker: it starts them")
    ]


async def _asked(
    pollers: PollerGateway, source: EventKind, settings: Settings
) -> Iterable[Finding]:
    name = f"poller {source}"
    try:
        return [poller_finding(await pollers.status(source), datetime.now(UTC), settings)]
    except NoSuchWorkflow:
        return []
    except (RPCError, WorkflowQueryFailedError) as error:
        return [
            problem(
                name,
                f"it does not answer: {str(error)[:200]}",
                "start a worker, or look whether the one that runs is stuck",
            )
        ]


def poller_finding(status: PollerStatus, now: datetime, settings: Settings) -> Finding:
    """Judge what a poller says of itself."""
    name = f"poller {status.source}"
    last = (
        f"last complete poll {format_duration(now - status.drained_at)} ago"
        if status.drained_at
        else "no complete poll yet"
    )
    match status.state:
        case "paused":
            return warning(
                name, f"paused: {status.detail}; {last}", "`clawback poll resume` goes on"
            )
        case "degraded":
            return problem(
                name, f"degraded: {status.detail}; {last}", "it goes on trying; mend what it names"
            )
    if not is_fresh(status, now, max_poll_age(settings.interval_of(status.source))):
        return problem(name, last, "look at the worker's log, and whether a worker runs")
    return ok(name, f"{last}; {status.seen:,} seen, {status.rejected:,} rejected")
