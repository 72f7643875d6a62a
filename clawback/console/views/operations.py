"""The operations page: is mail read, can work be done, what does the guard hold back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from clawback.console.sources.operations import OperationsReading, WorkerReading
from clawback.console.views.channels import ChannelRow, build_channel
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.times import ShownTime, describe_duration, format_absolute, show_time
from clawback.doctor import CheckStatus, Finding
from clawback.guard import GuardSnapshot, Spending
from clawback.model.durations import format_duration
from clawback.model.polling import PollerStatus
from clawback.model.texts import plural
from clawback.temporal.fan_out import Answers
from clawback.temporal.queue_depths import QueueDepth
from clawback.temporal.worker_versions import Deployment, describe_problems

_LATE: Final = timedelta(minutes=5)
"""A live lane that is so far behind has a problem, whatever the interval."""
_FULL: Final = 0.8
_GOOD, _WARN, _BAD, _PLAIN = "good-text", "warn-text", "danger-text", ""


@dataclass(frozen=True)
class Fact:
    """One line: a name, a text, and how it is meant (a class of the stylesheet)."""

    name: str
    text: str
    tone: str = ""


@dataclass(frozen=True)
class PollerRow:
    """One source of events."""

    source: str
    state: str
    tone: str
    lag: str
    cursor: ShownTime
    backlog: str
    seen: str
    matched: str
    rejected: str
    detail: str


@dataclass(frozen=True)
class QueueRow:
    """One task queue."""

    queue: str
    kind: str
    waiting: str
    oldest: str
    pollers: str
    free: str
    note: str
    tone: str


@dataclass(frozen=True)
class BudgetRow:
    """How far one budget of all rules together is used."""

    limit: str
    used: str
    value: str
    most: str
    tone: str


@dataclass(frozen=True)
class DemotedRow:
    """A rule that asks first because its work was undone."""

    rule: str
    path: str
    by: str
    reason: str
    at: ShownTime


@dataclass(frozen=True)
class BuildRow:
    """One build of the workers."""

    build: str
    role: str
    worker: str
    pinned: str


@dataclass(frozen=True)
class OperationsView:
    """The whole page; `unread` names what did not answer."""

    as_of: str
    problems: tuple[str, ...]
    pollers: tuple[PollerRow, ...]
    budget: tuple[Fact, ...]
    queues: tuple[QueueRow, ...]
    budgets: tuple[BudgetRow, ...]
    guard: tuple[Fact, ...]
    demoted: tuple[DemotedRow, ...]
    builds: tuple[BuildRow, ...]
    channels: tuple[ChannelRow, ...]
    unread: tuple[str, ...]
    may_check: bool


def build_operations(
    reading: OperationsReading, zone: ZoneInfo, *, may_check: bool
) -> OperationsView:
    """Build the view of one reading."""
    now, guard, deployment = reading.at, reading.guard, reading.deployment
    given = list(reading.pollers.given.values()) if reading.pollers else []
    return OperationsView(
        as_of=format_absolute(now, zone),
        problems=tuple(_find_problems(reading)),
        pollers=tuple(_build_poller(one, now, zone) for one in given),
        budget=tuple(_describe_worker(reading)),
        queues=tuple(_build_queue(one, reading.worker) for one in reading.queues or ()),
        budgets=tuple(_build_budgets(guard, now)) if guard else (),
        guard=tuple(_describe_guard(guard, zone)) if guard else (),
        demoted=tuple(_build_demoted(guard, now, zone)) if guard else (),
        builds=tuple(_build_builds(deployment)) if deployment else (),
        channels=tuple(build_channel(one, now, zone) for one in reading.channels or ()),
        unread=tuple(_find_unread(reading)),
        may_check=may_check,
    )


def _find_problems(reading: OperationsReading) -> Iterator[str]:
    """Say what keeps mail from being read or work from being done."""
    if reading.pollers is not None:
        yield from _find_poller_problems(reading.pollers, reading.at)
    if reading.deployment is not None:
        yield from (
            f"{problem[0].upper()}{problem[1:]}"
            for problem in describe_problems(reading.deployment)
        )
    for channel in reading.channels or ():
        if channel.is_failing:
            yield f"The last notification through {show_mail_text(channel.channel)} was given up."
    if reading.failing:
        failing = plural(reading.failing, "workflow")
        yield f"{failing} cannot go on: their tasks fail again and again. Run the doctor."


def _find_poller_problems(pollers: Answers[PollerStatus], now: datetime) -> Iterator[str]:
    for source, why in pollers.unanswered.items():
        yield f"The poller of {source} does not answer: {show_mail_text(why)}"
    if not pollers.given and not pollers.errors:
        yield "No poller has ever run here: no mail is read. Start a worker."
    for one in pollers.given.values():
        if one.state == "paused":
            yield f"Polling of {one.source} is paused: new mail is not read."
        elif now - one.cursor > _LATE:
            lag = describe_duration(now - one.cursor)
            yield f"Polling of {one.source} is {lag} behind."


def _find_unread(reading: OperationsReading) -> Iterator[str]:
    for name, found in (
        ("pollers", reading.pollers),
        ("guard", reading.guard),
        ("task queues", reading.queues),
        ("versions", reading.deployment),
        ("notification channels", reading.channels),
    ):
        if found is None:
            yield name


def _build_poller(one: PollerStatus, now: datetime, zone: ZoneInfo) -> PollerRow:
    lag = now - one.cursor
    is_late = lag > _LATE
    is_good = one.state not in {"paused", "degraded"} and not is_late
    backlog = "none"
    if one.backlog and one.backlog_from is not None:
        backlog = f"{format_duration(one.backlog)} from {format_absolute(one.backlog_from, zone)}"
        if one.backlog_until is not None:
            backlog += f", done {format_absolute(one.backlog_until, zone)}"
    return PollerRow(
        source=one.source.replace("_", " "),
        state=one.state,
        tone=_GOOD if is_good else _BAD,
        lag=describe_duration(max(lag, timedelta())),
        cursor=show_time(one.cursor, now, zone),
        backlog=backlog,
        seen=f"{one.seen:,}",
        matched=f"{one.matched:,}",
        rejected=f"{one.rejected + one.set_aside:,}",
        detail=show_mail_text(one.detail),
    )


def _describe_worker(reading: OperationsReading) -> Iterator[Fact]:
    worker = reading.worker
    if worker is None:
        text = f"No worker answers at {reading.worker_address} (CLAWBACK_METRICS)."
        yield Fact("Worker", f"{text} Slots and request budget are not known here.", _WARN)
        return

    metrics = worker.metrics
    yield Fact("Worker", f"{worker.address}, {plural(metrics.rules, 'rule')}")
    if metrics.remaining is not None:
        resets = (
            ""
            if metrics.resets_in is None
            else (f", new budget in {describe_duration(metrics.resets_in)}")
        )
        tone = _BAD if metrics.remaining < _FEW_REQUESTS else _PLAIN
        yield Fact("Requests left", f"{metrics.remaining:,}{resets}", tone)
    sent = f"{metrics.requests:,} since this worker started"
    failed = f"{metrics.refused:,} refused, {metrics.unanswered:,} unanswered"
    yield Fact("Requests sent", f"{sent}: {failed}")


_FEW_REQUESTS: Final = 100


def _build_queue(one: QueueDepth, worker: WorkerReading | None) -> QueueRow:
    free = None if worker is None else worker.slots.free.get((one.kind, one.queue))
    notes = [
        *(["closed by the kill switch"] if one.is_closed else []),
        *(["no worker asks for work"] if not one.pollers else []),
        *(["no free slot"] if free == 0 else []),
    ]
    return QueueRow(
        queue=one.queue,
        kind=one.kind,
        waiting=f"{one.waiting:,}",
        oldest=describe_duration(one.oldest) if one.waiting else "-",
        pollers=f"{one.pollers:,}",
        free="-" if free is None else f"{free:,}",
        note=", ".join(notes),
        tone=_BAD if notes else _PLAIN,
    )


def _build_budgets(guard: GuardSnapshot, now: datetime) -> Iterator[BudgetRow]:
    spending = Spending(guard.counters)
    for limit in guard.budgets.overall:
        spent = spending.spent(f"all/{limit.kind}", limit.per, now)
        yield BudgetRow(
            limit=str(limit),
            used=f"{spent:,} of {limit.most:,}",
            value=str(min(spent, limit.most)),
            most=str(limit.most),
            tone=_WARN if spent >= _FULL * limit.most else _PLAIN,
        )


def _describe_guard(guard: GuardSnapshot, zone: ZoneInfo) -> Iterator[Fact]:
    if guard.stopped is not None:
        stop = guard.stopped
        text = f"since {format_absolute(stop.at, zone)} by {show_mail_text(stop.by)}"
        yield Fact("Kill switch", f"on, {text}: {show_mail_text(stop.reason)}", _BAD)
    else:
        yield Fact("Kill switch", "off: rules act", _PLAIN)
    yield Fact("Waiting for a budget", plural(len(guard.waiting), "case"))
    yield Fact("Refused in all", f"{guard.refused:,}")
    if guard.budgets.campaign is not None:
        yield Fact("Limit of one campaign", plural(guard.budgets.campaign, "message"))
    if guard.unknown_since is not None:
        since = format_absolute(guard.unknown_since, zone)
        yield Fact("Past", f"lost at {since}: every rule asks first until confirmed", _BAD)


def _build_demoted(guard: GuardSnapshot, now: datetime, zone: ZoneInfo) -> Iterator[DemotedRow]:
    for rule, one in sorted(guard.demoted.items()):
        yield DemotedRow(
            rule=rule,
            path=f"/rules/{rule}",
            by=show_mail_text(one.actor.label),
            reason=show_mail_text(one.reason) or "no reason given",
            at=show_time(one.at, now, zone),
        )


def _build_builds(deployment: Deployment) -> Iterator[BuildRow]:
    for one in deployment.builds:
        yield BuildRow(
            build=one.id,
            role="current" if one.id == deployment.current else "older",
            worker="runs" if one.has_worker else "no worker",
            pinned=f"{one.pinned:,}",
        )


# ---- the doctor


@dataclass(frozen=True)
class FindingRow:
    """One finding of the doctor."""

    check: str
    status: str
    tone: str
    found: str
    remedy: str


@dataclass(frozen=True)
class DoctorView:
    """What the doctor found."""

    rows: tuple[FindingRow, ...]
    summary: str


_TONES: Final = {
    CheckStatus.OK: _GOOD,
    CheckStatus.WARNING: _WARN,
    CheckStatus.PROBLEM: _BAD,
}


def build_doctor(findings: Iterable[Finding]) -> DoctorView:
    """Build the view of findings, problems first."""
    order = list(reversed(CheckStatus))
    found: Sequence[Finding] = sorted(findings, key=lambda one: order.index(one.status))
    counts = (
        plural(sum(one.status is status for one in found), status.value) for status in order[:-1]
    )
    return DoctorView(
        rows=tuple(
            FindingRow(
                check=one.check,
                status=one.status,
                tone=_TONES[one.status],
                found=show_mail_text(one.found, _LONGEST),
                remedy=show_mail_text(one.remedy, _LONGEST),
            )
            for one in found
        ),
        summary=f"{', '.join(counts)} in {plural(len(found), 'finding')}",
    )


_LONGEST: Final = 1_000
