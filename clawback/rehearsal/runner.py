"""Runs a rehearsal: start the processes, disturb them, wait until all is done, judge."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clawback.audit import (
    Broken,
    default_key_file,
    read_head,
    read_public_keys,
    read_records,
    verify,
)
from clawback.local import run_in_daemon_thread
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.durations import parse_duration
from clawback.rehearsal.arrivals import Arrivals
from clawback.rehearsal.disturbances import disturb
from clawback.rehearsal.environment import ACTIONS, RehearsalEnvironment
from clawback.rehearsal.expectation import Expectation, build_expectation
from clawback.rehearsal.judge import Judgement, allow_holds, judge
from clawback.rehearsal.plan import Rehearsal, measure_history, read_corpora
from clawback.rehearsal.progress import Progress
from clawback.rules import RuleSet, load_rules
from clawback.simulator import Line, own_domains

IDLE_SECONDS = 3.0
"""How long nothing must happen before a rehearsal may be complete."""
STALLED_SECONDS = 15.0
"""How long nothing must happen before a rehearsal says what it waits for, and how often it asks."""
_POLL_SECONDS = 0.25
_COUNTERS_SECONDS = 2.0
"""How often counters are read: a busy server takes a while to write all of its metrics."""


@dataclass(frozen=True)
class RehearsalResult:
    """What a rehearsal showed.

    `is_complete` is False if the timeout came first; then `progress.waits_for` says what was
    missing. `cases` counts the open cases by state.
    """

    judgement: Judgement
    expectation: Expectation
    is_complete: bool
    is_audit_intact: bool
    progress: Progress
    counts: dict[str, Any]
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

    @property
    def counters(self) -> dict[str, float]:
        """The counters of all workers."""
        return self.progress.counters.totals

    @property
    def temporal_actions(self) -> int | None:
        """Billable actions, as in Temporal Cloud; None if the server does not say."""
        actions = self.counters.get(ACTIONS)
        return None if actions is None else int(actions)


@dataclass(frozen=True)
class _Observed:
    """What the processes left behind."""

    is_complete: bool
    counts: dict[str, Any]
    cases: dict[str, int]
    ledger: list[dict[str, Any]]


class _Scenario:
    """What a rehearsal is about: a plan, its mail and its rules."""

    def __init__(self, plan: Rehearsal, folder: Path) -> None:
        self.plan = plan.with_copied_rules(folder)
        self.corpora = self.plan.write_corpora(folder)
        self.lines = read_corpora(self.corpora)
        self.domains = own_domains(self.lines)
        rules = load_rules(self.plan.rules, self.plan.safety)
        self.rules = rules.with_safety(rules.safety.with_own_domains(self.domains))
        self.expectation = self.expect(self.lines)

    def expect(self, lines: Sequence[Line]) -> Expectation:
        """Derive what should happen to some mail."""
        limit = _age_limit(self.plan, self.rules)
        return build_expectation(lines, self.rules, datetime.now(UTC), limit)

    def estimate_records(self) -> int:
        """Estimate the number of audit records, for shares of the progress.

        One for each event that joins a case, and one for each action or, with budgets, for each
        case that is held.
        """
        joined = len(self.expectation.joined)
        return 2 * joined if self.plan.guard else joined + len(self.expectation.actions)


async def rehearse(
    plan: Rehearsal, folder: Path, report: Callable[[Progress], None] = lambda _: None
) -> RehearsalResult:
    """Run one rehearsal in a folder. Calls `report` a few times a second.

    Raises:
        RuleErrors: the rules cannot be loaded.
        CorpusError: a corpus cannot be read.
        ProcessFailed: a process did not start.

    """
    progress = Progress()
    report(progress)
    scenario = await run_in_daemon_thread(_Scenario, plan, folder)
    progress.expected_changes = scenario.expectation.count_changes()
    progress.expected_records = scenario.estimate_records()

    run = _Run(scenario, folder, progress, report)
    observed = await run.observe()

    progress.phase = "judging"
    report(progress)
    return await run_in_daemon_thread(run.conclude, observed)


class _Run:
    """One run of a scenario, from the first process to the judgement."""

    def __init__(
        self,
        scenario: _Scenario,
        folder: Path,
        progress: Progress,
        report: Callable[[Progress], None],
    ) -> None:
        self._scenario = scenario
        self._plan = scenario.plan
        self._progress = progress
        self._report = report
        self._arrivals = (
            Arrivals(scenario.lines, scenario.plan.pace) if scenario.plan.pace else None
        )
        corpora = scenario.corpora if self._arrivals is None else []
        history = measure_history(scenario.lines)
        self._environment = RehearsalEnvironment(
            self._plan, folder, corpora, scenario.domains, history
        )
        self._last_asked = 0.0
        self._last_counted = 0.0

    async def observe(self) -> _Observed:
        """Run the processes until there is nothing left to do, or the timeout."""
        environment = self._environment
        async with environment.services_running():
            self._progress.restart()
            async with environment.workers_running():
                is_complete = await self._wait_until_complete()
                await self._count()
                cases = await environment.count_cases()

            return _Observed(
                is_complete=is_complete,
                counts=await environment.read_simulator("counts"),
                cases=cases,
                ledger=await environment.read_simulator("ledger"),
            )

    def conclude(self, observed: _Observed) -> RehearsalResult:
        """Judge what was observed. Computes: call it from a thread."""
        audit = self._environment.audit
        records = list(read_records(audit))
        expectation = self._scenario.expectation
        if self._arrivals is not None:
            expectation = self._scenario.expect(self._arrivals.arrived)
        if self._plan.guard:
            expectation = allow_holds(expectation, records)

        return RehearsalResult(
            judgement=judge(expectation, observed.ledger, records),
            expectation=expectation,
            is_complete=observed.is_complete,
            is_audit_intact=_is_intact(audit),
            progress=self._progress,
            counts=observed.counts,
            outcomes=_count_outcomes(records),
            cases=observed.cases,
            ledger=observed.ledger,
        )

    async def _wait_until_complete(self) -> bool:
        deadline = time.monotonic() + self._plan.timeout.total_seconds()
        self._progress.phase = "acting"
        tasks = [disturb(self._environment, self._plan, self._progress)]
        if self._arrivals is not None:
            tasks.append(self._arrivals.run(self._environment, self._progress))

        beside = asyncio.gather(*tasks)
        started = datetime.now(UTC)
        try:
            while time.monotonic() < deadline:
                await self._update()
                if not beside.done():
                    started = datetime.now(UTC)
                elif await self._is_complete(beside, started + self._plan.lateness):
                    return True
                await asyncio.sleep(_POLL_SECONDS)

            return False
        finally:
            beside.cancel()

    async def _is_complete(self, beside: "asyncio.Future[Any]", visible_at: datetime) -> bool:
        # Raises what went wrong beside the wait.
        beside.result()
        if self._progress.idle_seconds <= IDLE_SECONDS:
            return False

        environment = self._environment
        # Pollers first: whether nothing waits is a question to each of 64 shards.
        if await environment.has_polled_since(visible_at) and await environment.is_idle():
            return True

        await self._explain_stall(visible_at)
        return False

    async def _update(self) -> None:
        environment, progress = self._environment, self._progress
        counts = await environment.read_simulator("counts")
        # The number of its last line, over all files: none may be missed.
        progress.update(counts, read_head(environment.audit).sequence)
        if time.monotonic() - self._last_counted > _COUNTERS_SECONDS:
            await self._count()
        self._report(progress)

    async def _count(self) -> None:
        for process, values in (await self._environment.read_counters()).items():
            self._progress.counters.update(process, values)
        self._last_counted = time.monotonic()

    async def _explain_stall(self, visible_at: datetime) -> None:
        """Find out what a run that makes no progress waits for, every few seconds."""
        now = time.monotonic()
        is_stalled = self._progress.idle_seconds > STALLED_SECONDS
        if is_stalled and now - self._last_asked > STALLED_SECONDS:
            self._progress.waits_for = await self._environment.describe_wait(visible_at)
            self._last_asked = time.monotonic()


def _age_limit(plan: Rehearsal, rules: RuleSet) -> timedelta | None:
    match plan.age_limit:
        case "rules":
            return rules.safety.maximum_age
        case "off":
            return None
        case duration:
            return parse_duration(duration)


def _is_intact(audit: Path) -> bool:
    if not audit.exists():
        return True
    keys = read_public_keys(default_key_file(audit))
    return not isinstance(verify(audit, keys), Broken)


def _count_outcomes(records: Sequence[AuditRecord]) -> Counter[tuple[str, str]]:
    kinds = {RecordKind.ACTED, RecordKind.WOULD_HAVE_ACTED}
    return Counter(
        (record.action or "", record.outcome or "would")
        for record in records
        if record.kind in kinds
    )
