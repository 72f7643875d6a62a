"""The rules in the folder of this console, read anew when a file changes, in a process of its own.

What workers run may differ for seconds after a change, or because they have another folder: the
operations page compares versions.
"""

import asyncio
from pathlib import Path
from typing import Final

from clawback.console.jobs.child_job import JobFailed, JobLimits, Report, run_in_child
from clawback.inventory.rule_catalogue import RuleCatalogue, read_catalogue
from clawback.inventory.rule_list import ceiling_of
from clawback.model.mode import Mode
from clawback.rules.live import fingerprint_of
from clawback.rules.tools.rule_facts import RuleFacts
from clawback.settings import Settings

_LIMITS: Final = JobLimits(seconds=120)


class RuleFolder:
    """The catalogue of the rules, kept until a file changes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._fingerprint: object = None
        self._known: RuleCatalogue | None = None

    async def read(self) -> RuleCatalogue:
        """Return the rules. If a new version has errors: the last good ones, and the problem.

        Raises:
            JobFailed: they cannot be read at all.

        """
        folder, safety = self._settings.rules, self._settings.safety
        async with self._turn:
            fingerprint = await asyncio.to_thread(fingerprint_of, folder, safety)
            if self._known is None or fingerprint != self._fingerprint:
                found = await self._load(folder, safety)
                self._fingerprint = fingerprint
                if found.problem and self._known is not None:
                    found = self._known.model_copy(update={"problem": found.problem})
                self._known = found
            return self._known

    async def read_facts(self) -> RuleFacts | None:
        """Return what the files of cases tell of the rules; None if they cannot be read."""
        try:
            return (await self.read()).facts
        except JobFailed:
            return None

    async def _load(self, folder: Path, safety: Path | None) -> RuleCatalogue:
        ceiling = ceiling_of(self._settings)
        try:
            return await run_in_child(_LIMITS, _read, folder, safety, ceiling)
        except JobFailed as error:
            if self._known is None:
                raise
            return RuleCatalogue(ceiling=ceiling, problem=f"the rules cannot be read: {error}")


def _read(_: Report, folder: Path, safety: Path | None, ceiling: Mode) -> RuleCatalogue:
    return read_catalogue(folder, safety, ceiling)
