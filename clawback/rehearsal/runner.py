"""Runs a rehearsal: start the processes, kill the worker, wait until all is done, judge."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from clawback.audit import Broken, read_records, verify
from clawback.model.audit_record import RecordKind
from clawback.model.durations import parse_duration
from clawback.rehearsal.environment import RehearsalEnvironment
from clawback.rehearsal.expectation import Expectation, build_expectation
from clawback.rehearsal.judge import Judgement, allow_holds, judge
from clawback.rehearsal.plan import Rehearsal, measure_history, read_corpora
from clawback.rules import RuleSet, load_rules

IDLE_SECONDS = 3.0
"""How long nothing must happen before a rehearsal may be complete."""
# The workflows of a killed worker take ten seconds to continue; do not kill the next one earlier.
_STALLED_SECONDS = 20.0
_POLL_SECONDS = 0.25
_POLL_ENDPOINTS = ("GET /investigate", "GET /phishguard/reports", "GET /submissions")


@dataclass
class Progress:
    """The progress of a rehearsal. `changed_at` is on the monotonic clock."""

    changes: int = 0
    expected_changes: int = 0
    requests: int = 0
    kills: int = 0
    phase: str = "starting"
    changed_at: float = field(default_factory=time.monotonic)
    _last: object = None

    @property
    def idle_seconds(self) -> float:
        """Seconds since something last happened."""
        return time.monotonic() - self.changed_at

    def update(self, counts: dict[str, Any], audit_size: int) -> None:
        """Update from the counts of the simulator and the size of the audit.

        Polls do not count: they go on when nothing happens.
        """
        polls = sum(counts["by_endpoint"].get(endpoint, 0) for endpoint in _POLL_ENDPOINTS)
        self.changes, self.requests = counts["changes"], counts["requests"]
        current = (self.changes, self.requests - polls, audit_size)
        if current != self._last:
            self._last, self.changed_at = current, time.monotonic()


@dataclass(frozen=True)
class RehearsalResult:
    """What a rehearsal showed.

    `seconds` is the time from the worker's start to its last effect; `is_complete` is False if the
    timeout came first.
    """

    judgement: Judgement
    expectation: Expectation
    is_complete: bool
    is_audit_intact: bool
    seconds: float
    kills: int
    counts: dict[str, Any]
    counters: dict[str, float]
    temporal_actions: int | None
    outcomes: Counter[tuple[str, str]]
    cases: dict[str, int]
    ledger: list[dict[str, Any]]

    @property
    def is_good(self) -> bool:
        """Whether everything expected happened once, nothing else did, and the audit has it all."""
        return self.judgement.is_clean and self.is_complete and self.is_audit_intact

    @property
    def moved(self) -> int:
        """The number of messages moved."""
        return sum(1 for row in self.ledger if row["operation"] == "move")


async def rehearse(
    plan: Rehearsal, folder: Path, report: Callable[[Progress], None] = lambda _: None
) -> RehearsalResult:
    """Run one rehearsal in a folder. Calls `report` a few times a second.

    Raises:
        RuleErrors: the rules cannot be loaded.
        CorpusError: a corpus cannot be read.
        ProcessFailed: a process did not start.

    """
    plan = plan.with_copied_rules(folder)
    corpora = plan.write_corpora(folder)
    lines, rules = read_corpora(corpora), load_rules(plan.rules)
    expectation = build_expectation(lines, rules, datetime.now(UTC), _age_limit(plan, rules))
    environment = RehearsalEnvironment(plan, folder, corpora, measure_history(lines))
    progress = Progress(expected_changes=expectation.count_changes())
    report(progress)

    async with environment.services_running():
        started, counters = time.monotonic(), CounterSums()
        async with environment.worker_running():
            is_complete = await _wait_until_complete(environment, plan, progress, counters, report)
            cases = await environment.count_cases()

        ledger = await environment.read_simulator("ledger")
        records = list(read_records(environment.audit))
        if environment.has_guard:
            expectation = allow_holds(expectation, records)
        return RehearsalResult(
            judgement=judge(expectation, ledger, records),
            expectation=expectation,
            is_complete=is_complete,
            is_audit_intact=_is_audit_intact(environment.audit),
            seconds=progress.changed_at - started,
            kills=progress.kills,
            counts=await environment.read_simulator("counts"),
            counters=counters.totals,
            temporal_actions=await environment.count_temporal_actions(),
            outcomes=Counter(
                (record.action or "", record.outcome or "would")
                for record in records
                if record.kind in {RecordKind.ACTED, RecordKind.WOULD_HAVE_ACTED}
            ),
            cases=cases,
            ledger=ledger,
        )


def _age_limit(plan: Rehearsal, rules: RuleSet) -> timedelta | None:
    match plan.age_limit:
        case "rules":
            return rules.safety.maximum_age
        case "off":
            return None
        case duration:
            return parse_duration(duration)


async def _wait_until_complete(
    environment: RehearsalEnvironment,
    plan: Rehearsal,
    progress: Progress,
    counters: "CounterSums",
    report: Callable[[Progress], None],
) -> bool:
    """Wait until there is nothing left to do. Returns False on timeout."""
    visible_at = datetime.now(UTC) + plan.lateness
    deadline = time.monotonic() + plan.timeout.total_seconds()
    killer = asyncio.create_task(_kill_worker(environment, plan, progress))
    progress.phase = "acting"
    try:
        while time.monotonic() < deadline:
            counts = await environment.read_simulator("counts")
            progress.update(counts, _size(environment.audit))
            counters.update(await environment.read_counters())
            report(progress)

            is_quiet = killer.done() and progress.idle_seconds > IDLE_SECONDS
            if (
                is_quiet
                and await environment.is_idle()
                and await environment.has_polled_since(visible_at)
            ):
                killer.result()
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False
    finally:
        killer.cancel()


async def _kill_worker(
    environment: RehearsalEnvironment, plan: Rehearsal, progress: Progress
) -> None:
    """Kill the worker when random shares of the changes have happened.

    If the changes stall before that, the remaining kills follow at once.
    """
    random = Random(plan.seed)  # noqa: S311 - reproducible on purpose
    for share in sorted(random.uniform(0.0, 0.9) for _ in range(plan.kills)):
        # The simulator and the worker are other processes: there is no event to wait for.
        while not await environment.worker.spec.ready():  # noqa: ASYNC110 - see above
            await asyncio.sleep(_POLL_SECONDS)
        target = share * progress.expected_changes
        while progress.changes < target and progress.idle_seconds < _STALLED_SECONDS:  # noqa: ASYNC110 - see above
            await asyncio.sleep(_POLL_SECONDS / 5)

        await asyncio.sleep(random.uniform(0.0, 0.5))
        environment.worker.kill(expected=True)
        progress.kills += 1
        progress.changed_at = time.monotonic()


class CounterSums:
    """Sums counters over restarts of a process, which starts again at zero."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def update(self, values: dict[str, float]) -> None:
        """Add the current values; empty if the process did not answer."""
        for name, value in values.items():
            last = self._last.get(name, 0.0)
            increase = value - last if value >= last else value
            self.totals[name] = self.totals.get(name, 0.0) + increase
            self._last[name] = value


def _is_audit_intact(audit: Path) -> bool:
    return not (audit.exists() and isinstance(verify(audit), Broken))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
