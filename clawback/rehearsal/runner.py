"""One rehearsal from corpus to verdict.

Set the stage, let the worker act, kill it as often as asked, wait until all is done, judge.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clawback.audit import Broken, read_records, verify
from clawback.model.audit_record import RecordKind
from clawback.model.durations import parse_duration
from clawback.rehearsal.environment import RehearsalEnvironment
from clawback.rehearsal.expectation import Expectation, expect
from clawback.rehearsal.judge import Judgement, judge, with_holds
from clawback.rehearsal.plan import Rehearsal, read_all, span
from clawback.rules import load_rules

QUIET = 3.0
"""Seconds without any work before it may be over."""
_STILL = 20.0  # a killed worker's workflows take ten seconds to move on: no reason to kill the next one early
_LOOK_EVERY = 0.25
_POLLING = ("GET /investigate", "GET /phishguard/reports", "GET /submissions")


@dataclass
class Progress:
    """How far a rehearsal is.

    `changed_at` is when anything last happened, on the monotonic clock.
    """

    changes: int = 0
    wanted: int = 0
    requests: int = 0
    kills: int = 0
    phase: str = "starting"
    changed_at: float = field(default_factory=time.monotonic)
    _seen: object = None

    @property
    def quiet_for(self) -> float:
        """Seconds since anything last happened."""
        return time.monotonic() - self.changed_at

    def look(self, counts: dict[str, Any], recorded: int) -> None:
        """Take in what the simulator has counted and how long the audit is.

        Polls that find nothing new are not work.
        """
        polls = sum(counts["by_endpoint"].get(endpoint, 0) for endpoint in _POLLING)
        self.changes, self.requests = counts["changes"], counts["requests"]
        seen = (self.changes, self.requests - polls, recorded)
        if seen != self._seen:
            self._seen, self.changed_at = seen, time.monotonic()


@dataclass(frozen=True)
class Result:
    """What came of a rehearsal.

    `seconds` is from the worker's start to the last thing that happened.
    """

    verdict: Judgement
    expectation: Expectation
    drained: bool
    audit_intact: bool
    seconds: float
    kills: int
    counts: dict[str, Any]
    counters: dict[str, float]
    temporal_actions: int
    outcomes: Counter[tuple[str, str]]
    cases: dict[str, int]
    ledger: list[dict[str, Any]]

    @property
    def good(self) -> bool:
        """Whether everything happened, once, and nothing else did, and all of it is on record."""
        return self.verdict.clean and self.drained and self.audit_intact

    @property
    def moved(self) -> int:
        """Messages moved."""
        return sum(1 for row in self.ledger if row["operation"] == "move")


async def rehearse(
    plan: Rehearsal, folder: Path, tell: Callable[[Progress], None] = lambda _: None
) -> Result:
    """Run one rehearsal in a folder, telling how far it is a few times a second.

    Raises:
        RuleErrors: the rules cannot be loaded.
        CorpusError: a corpus cannot be read.
        ChildFailed: a process did not start.

    """
    plan = plan.with_rules_in(folder)
    corpora = plan.write_corpora(folder)
    lines, rules = read_all(corpora), load_rules(plan.rules)
    age_limit = (
        rules.safety.maximum_age
        if plan.age_limit == "rules"
        else None
        if plan.age_limit == "off"
        else parse_duration(plan.age_limit)
    )
    expectation = expect(lines, rules, datetime.now(UTC), age_limit)
    stage = RehearsalEnvironment(plan, folder, corpora, span(lines))
    progress = Progress(wanted=expectation.effects)
    tell(progress)
    async with stage.set_up():
        began, counters = time.monotonic(), Counters()
        async with stage.acting():
            drained = await _until_drained(stage, plan, progress, counters, tell)
            cases = await stage.cases()
        return await _result(
            stage, expectation, progress, counters, drained=drained, began=began, cases=cases
        )


async def _until_drained(
    stage: RehearsalEnvironment,
    plan: Rehearsal,
    progress: Progress,
    counters: "Counters",
    tell: Callable[[Progress], None],
) -> bool:
    """Watch until there is nothing left to do; False if the time is up."""
    fed = datetime.now(UTC) + plan.late
    deadline = time.monotonic() + plan.timeout.total_seconds()
    killing = asyncio.create_task(_kill(stage, plan, progress))
    progress.phase = "acting"
    try:
        while time.monotonic() < deadline:
            progress.look(await stage.witness("counts"), _size(stage.audit))
            counters.take(await stage.counters())
            tell(progress)
            if (
                killing.done()
                and progress.quiet_for > QUIET
                and await stage.is_idle()
                and await stage.has_read(fed)
            ):
                killing.result()
                return True
            await asyncio.sleep(_LOOK_EVERY)
        return False
    finally:
        killing.cancel()


async def _kill(stage: RehearsalEnvironment, plan: Rehearsal, progress: Progress) -> None:
    """Kill the worker at moments spread at random over the work.

    Those that are left when it is done, at once.
    """
    dice = random.Random(plan.seed)  # noqa: S311 - reproducible on purpose
    for share in sorted(dice.uniform(0.0, 0.9) for _ in range(plan.kills)):
        while not await stage.worker.spec.ready():  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(_LOOK_EVERY)
        while progress.changes < share * progress.wanted and progress.quiet_for < _STILL:  # noqa: ASYNC110 - nor here
            await asyncio.sleep(_LOOK_EVERY / 5)
        await asyncio.sleep(dice.uniform(0.0, 0.5))
        stage.worker.kill(excused=True)
        progress.kills += 1
        progress.changed_at = time.monotonic()


async def _result(
    stage: RehearsalEnvironment,
    expectation: Expectation,
    progress: Progress,
    counters: "Counters",
    **known: Any,
) -> Result:
    ledger = await stage.witness("ledger")
    records = list(read_records(stage.audit))
    acted = (
        record
        for record in records
        if record.kind in {RecordKind.ACTED, RecordKind.WOULD_HAVE_ACTED}
    )
    return Result(
        verdict=judge(
            with_holds(expectation, records) if stage.guarded else expectation, ledger, records
        ),
        expectation=expectation,
        drained=known["drained"],
        audit_intact=not (stage.audit.exists() and isinstance(verify(stage.audit), Broken)),
        seconds=progress.changed_at - known["began"],
        kills=progress.kills,
        counts=await stage.witness("counts"),
        counters=counters.total,
        temporal_actions=await stage.temporal_actions(),
        outcomes=Counter((record.action or "", record.outcome or "would") for record in acted),
        cases=known["cases"],
        ledger=ledger,
    )


class Counters:
    """Counters of a process that may be killed.

    What it counted before is kept when it starts at zero again.
    """

    def __init__(self) -> None:
        self.total: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def take(self, now: dict[str, float]) -> None:
        """Take in what the counters say now; empty where the process did not answer."""
        for name, value in now.items():
            before = self._last.get(name, 0.0)
            self.total[name] = self.total.get(name, 0.0) + (
                value - before if value >= before else value
            )
            self._last[name] = value


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
