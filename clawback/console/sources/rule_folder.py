"""The rules in the folder of this console, read anew when a file changes, in a process of its own.

What workers run may differ for seconds after a change, or because they have another folder: the
operations page compares versions.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from clawback.console.jobs.child_job import JobFailed, run_in_child
from clawback.console.jobs.rule_jobs import CATALOGUE_LIMITS, load_catalogue
from clawback.inventory.rule_catalogue import RuleCatalogue
from clawback.inventory.rule_list import ceiling_of
from clawback.rules.tools.rule_facts import RuleFacts
from clawback.settings import Settings

_PATIENCE: Final = 5.0
"""Seconds that the page of a case waits for rules that were never read; else it does without."""
_MOST_VERSIONS: Final = 200
"""Versions of rules whose source is kept, to compare a case with the rules of today."""


class RuleFolder:
    """The catalogue of the rules, kept until a file changes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._fingerprint: object = None
        self._known: RuleCatalogue | None = None
        self._reading: asyncio.Task[RuleFacts | None] | None = None
        self._sources: OrderedDict[tuple[str, str], Sequence[str]] = OrderedDict()

    async def read(self) -> RuleCatalogue:
        """Return the rules. If a new version has errors: the last good ones, and the problem.

        Raises:
            JobFailed: they cannot be read at all.

        """
        folder, safety = self._settings.rules, self._settings.safety
        async with self._turn:
            fingerprint = await asyncio.to_thread(_fingerprint_of, folder, safety)
            if self._known is None or fingerprint != self._fingerprint:
                found = await self._load(folder, safety)
                self._fingerprint = fingerprint
                if found.problem and self._known is not None:
                    found = _keep(self._known, found)
                self._known = found
                self._keep_sources(found)
            return self._known

    def find_source(self, rule: str, version: str) -> Sequence[str] | None:
        """Return the lines of a version of a rule; None if it was not loaded here."""
        return self._sources.get((rule, version))

    def _keep_sources(self, found: RuleCatalogue) -> None:
        for rule in found.rules:
            key = (rule.listed.name, rule.listed.version)
            if key not in self._sources:
                self._sources[key] = rule.source
        current = {(rule.listed.name, rule.listed.version) for rule in found.rules}
        for key in [key for key in self._sources if key not in current][:-_MOST_VERSIONS]:
            del self._sources[key]

    async def read_facts(self) -> RuleFacts | None:
        """Return what the files of cases tell of the rules; None if they cannot be read."""
        try:
            return (await self.read()).facts
        except JobFailed:
            return None

    @property
    def known_facts(self) -> RuleFacts | None:
        """The facts as they were read last; None if they never were."""
        return self._known.facts if self._known else None

    async def find_facts(self) -> RuleFacts | None:
        """Return the facts that are known, and read them anew beside that.

        Of a folder that was never read it waits some seconds; None if that is not enough.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self.read_facts())
        if self._known is None:
            await asyncio.wait({self._reading}, timeout=_PATIENCE)
        return self.known_facts

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """End the reading that is under way when the block is left."""
        try:
            yield
        finally:
            if self._reading is not None:
                self._reading.cancel()
                with suppress(asyncio.CancelledError):
                    await self._reading

    async def _load(self, folder: Path, safety: Path | None) -> RuleCatalogue:
        ceiling = ceiling_of(self._settings)
        try:
            return await run_in_child(CATALOGUE_LIMITS, load_catalogue, folder, safety, ceiling)
        except JobFailed as error:
            if self._known is None:
                raise
            return RuleCatalogue(ceiling=ceiling, problem=f"the rules cannot be read: {error}")


def _keep(known: RuleCatalogue, refused: RuleCatalogue) -> RuleCatalogue:
    """Keep rules while those in the folder have errors, with the safety document as it is now."""
    facts, new = known.facts, refused.facts
    if new.has_safety:
        facts = facts.model_copy(update={"budgets": new.budgets, "undo": new.undo})
    return known.model_copy(update={"problem": refused.problem, "facts": facts})


def _fingerprint_of(folder: Path, safety: Path | None) -> object:
    """Give a value that changes with any file below the folder, whether a rule or not.

    `live.fingerprint_of` knows which files are rules, and takes the rule engine to import. Hidden
    files are left out, but not those that a mounted ConfigMap swaps, which begin with two dots.
    """
    files = [path for path in folder.rglob("*") if not _is_hidden(path.relative_to(folder))]
    if safety is not None:
        files.append(safety)
    return sorted((str(path), *_time_and_size(path)) for path in files)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") and not part.startswith("..") for part in path.parts)


def _time_and_size(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)
