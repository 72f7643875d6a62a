"""Lets a case continue a campaign whose case was lost, before it does anything itself."""

import asyncio
from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.parts import PartActivities
    from clawback.cases import Case, CaseStart, Match
    from clawback.cases.lost_case import LostCase, take_over
    from workflows.options import REDELIVER


class Takeover:
    """Whether a case has looked for open parts that are not its own, and what came meanwhile.

    It looks with its first reservation, or before it sends matches on to a part. `why` says why the
    lost case could not be read: then people must decide. Until it has looked, the case reserves
    under `lock`: what was granted meanwhile is known when it takes over.
    """

    def __init__(self, start: CaseStart) -> None:
        self._start = start
        self._matches: list[Match] = []
        self._asking = 0
        self.lock = asyncio.Lock()
        self.is_done = start.part > 1 or start.snapshot is not None
        self.why = ""

    def note(self, match: Match) -> None:
        """Remember a match: a case that takes over another one takes it again."""
        if not self.is_done:
            self._matches.append(match)

    @property
    def is_running(self) -> bool:
        """Whether something waits for what is known of a lost case."""
        return self._asking > 0

    def end(self) -> None:
        """Note that there is nothing to take over, unless somebody is about to look again."""
        if not self.is_running:
            self._finish()

    async def run(self, current: Callable[[], Case]) -> Case | None:
        """Look for a lost case; return the case that continues it, or None to go on as before."""
        self._asking += 1
        try:
            async with self.lock:
                return None if self.is_done else await self._look(current)
        finally:
            self._asking -= 1

    async def _look(self, current: Callable[[], Case]) -> Case | None:
        plan = self._start.plan
        lost: LostCase = await workflow.execute_activity_method(
            PartActivities.read_lost_case, plan.case_id, **REDELIVER
        )
        matches = tuple(self._matches)
        self._finish()
        self.why = lost.why
        if lost.snapshot is None:
            return None

        snapshot = take_over(current().snapshot(), lost.snapshot, lost)
        case = Case(plan, self._start.timing, snapshot)
        for match in matches:
            case.add_match(match, workflow.now())
        return case

    def _finish(self) -> None:
        self.is_done = True
        self._matches.clear()
