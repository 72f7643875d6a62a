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
    lost case could not be read: then people must decide.
    """

    def __init__(self, start: CaseStart) -> None:
        self._start = start
        self._matches: list[Match] = []
        self._lock = asyncio.Lock()
        self.is_done = start.part > 1 or start.snapshot is not None
        self.why = ""

    def note(self, match: Match) -> None:
        """Remember a match: a case that takes over another one takes it again."""
        if not self.is_done:
            self._matches.append(match)

    def end(self) -> None:
        """Note that there is nothing to take over."""
        self.is_done = True
        self._matches.clear()

    async def run(self, current: Callable[[], Case]) -> Case | None:
        """Look for a lost case; return the case that continues it, or None to go on as before."""
        async with self._lock:
            if self.is_done:
                return None

            plan = self._start.plan
            lost: LostCase = await workflow.execute_activity_method(
                PartActivities.read_lost_case, plan.case_id, **REDELIVER
            )
            matches = tuple(self._matches)
            self.end()
            self.why = lost.why
            if lost.snapshot is None:
                return None

            snapshot = take_over(current().snapshot(), lost.snapshot, lost)
            case = Case(plan, self._start.timing, snapshot)
            for match in matches:
                case.add_match(match, workflow.now())
            return case
