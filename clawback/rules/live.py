"""The rule set that is running, and its replacement by what is on the disk.

The whole set at once, or not at all.

A change is noticed by the names, sizes and times of the files, and loaded in a thread. A bad set
never replaces a good one: it is reported, and the old one stays. Open cases are not touched: they
keep the response they started with.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from clawback.model.addresses import PatternKind
from clawback.rules.engine.ruleset import RuleSet
from clawback.rules.lint.channels import Channels
from clawback.rules.loader import load_reviewed

LOOK_EVERY = timedelta(seconds=2)
"""How often the folder is looked at."""
_FILES = (".yml", ".yaml")


@dataclass(frozen=True)
class Change:
    """What became of a change on the disk.

    `new` is the version that runs now, or None if it was refused because of `error`.
    """

    old: str | None
    new: str | None
    error: Exception | None = None

    @property
    def problem(self) -> str | None:
        """Why the rules were refused."""
        return None if self.error is None else str(self.error)


class LiveRules:
    """The rules of a folder.

    `current` is always a complete, valid set, its never-block list completed by the account's own
    domains.
    """

    def __init__(
        self, folder: Path, rules: RuleSet, seen: object = None, channels: Channels | None = None
    ) -> None:
        self._folder = folder
        self._channels = channels
        self._seen = seen
        self._loaded = rules
        self._own: frozenset[str] = frozenset()
        self.current = rules
        self.problem: str | None = None

    @classmethod
    def load(cls, folder: Path, channels: Channels | None = None) -> "LiveRules":
        """Load the set to start with.

        Rules may name these channels (any, where they are not given).

        Raises:
            RuleErrors: anything is wrong; a process must not start with rules it cannot read.

        """
        seen = fingerprint(folder)
        return cls(folder, load_reviewed(folder, channels), seen, channels)

    @property
    def owned(self) -> int:
        """How many domains of the account are known."""
        return len(self._own)

    def own(self, domains: frozenset[str]) -> bool:
        """Never block the account's own domains either, whatever set is loaded.

        False where that is no news.
        """
        if domains == self._own:
            return False
        self._own = domains
        self.current = _owning(self._loaded, domains)
        return True

    def owns(self, address: str) -> bool | None:
        """Whether a mail address is in one of the account's own domains.

        None while those are not known.
        """
        return address.rpartition("@")[2].strip().lower() in self._own if self._own else None

    def forbids(self, pattern: str, kind: PatternKind) -> bool:
        """Whether the never-block list that is loaded now forbids a block."""
        return self.current.safety.forbids(pattern, kind)

    @property
    def ignored_delivery_modes(self) -> frozenset[str]:
        """The delivery modes of messages that are never touched, as loaded now."""
        return self.current.safety.ignored_delivery_modes

    async def watch(
        self, tell: Callable[[Change], Awaitable[None]], every: timedelta = LOOK_EVERY
    ) -> None:
        """Look for changes for ever, and tell what became of each."""
        while True:
            await asyncio.sleep(every.total_seconds())
            if (change := await self.look()) is not None:
                await tell(change)

    async def look(self) -> Change | None:
        """Look once; None where nothing on the disk has changed, or the change is without effect."""
        seen = await asyncio.to_thread(fingerprint, self._folder)
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            rules = await asyncio.to_thread(load_reviewed, self._folder, self._channels)
        except Exception as error:  # noqa: BLE001 - whatever a file does to the loader, the running set stays
            self.problem = str(error)
            return Change(self.current.version, None, error)
        old, self.problem = self.current.version, None
        if rules.version == old:
            return None
        self._loaded = rules
        self.current = _owning(rules, self._own)
        return Change(old, rules.version)


def _owning(rules: RuleSet, domains: frozenset[str]) -> RuleSet:
    """Give the same set, of the same version, under a longer never-block list."""
    if not domains:
        return rules
    completed = copy.copy(rules)
    completed.safety = rules.safety.owning(domains)
    return completed


def fingerprint(folder: Path) -> object:
    """Say cheaply what is in a folder: equal while no file came, went or changed."""
    files = (path for path in folder.rglob("*") if path.suffix in _FILES)
    return sorted((str(path), *_stamp(path)) for path in files)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)
