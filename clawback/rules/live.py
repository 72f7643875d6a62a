"""The rule set in use, and its reload when the folder changes.

Changes are detected by the names, sizes and times of the files. A reload replaces the whole set or,
if anything is wrong, only the safety document: whoever writes rules cannot keep its owners from
changing it. Open cases keep the response they started with, and ask people where
the rule has another one now (`act_check`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from clawback.model.addresses import PatternKind
from clawback.model.folders import AccountProviders
from clawback.model.notations import canonical_address, canonical_domain
from clawback.rules.engine.ruleset import RuleSet
from clawback.rules.lint.channels import Channels
from clawback.rules.loader import load_reviewed
from clawback.rules.source.errors import RuleErrors
from clawback.rules.source.rule_files import list_rule_folder
from clawback.rules.source.safety_file import load_safety

CHECK_INTERVAL = timedelta(seconds=2)
"""How often the folder is checked for changes."""
_MOST_UNSETTLED = 5


@dataclass(frozen=True)
class Reload:
    """The result of a reload: `new` is the version in use, or None if it failed with `error`.

    If `new` is the old version, the rules were refused before and are in order again.
    `has_new_safety` says that only the safety document of a refused folder was taken over.
    """

    old: str | None
    new: str | None
    error: Exception | None = None
    has_new_safety: bool = False

    @property
    def problem(self) -> str | None:
        """Why the rules were refused."""
        return None if self.error is None else str(self.error)

    @property
    def is_recovery(self) -> bool:
        """Whether the rules in use are on the disk again, after others there were refused."""
        return self.new is not None and self.new == self.old


class LiveRules:
    """The rules of a folder. `current` is always a complete, valid set.

    Its never-block list also contains the account's own domains, once they are known.
    """

    def __init__(
        self,
        folder: Path,
        rules: RuleSet,
        fingerprint: object = None,
        channels: Channels | None = None,
        safety: Path | None = None,
    ) -> None:
        self._folder = folder
        self._safety = safety
        self._channels = channels
        self._fingerprint = fingerprint
        self._loaded = rules
        self._own_domains: frozenset[str] = frozenset()
        self._providers = AccountProviders()
        self.current = rules
        self.problem: str | None = None
        self._unreported: Reload | None = None
        self._unsettled = 0

    @classmethod
    def load(
        cls, folder: Path, channels: Channels | None = None, safety: Path | None = None
    ) -> "LiveRules":
        """Load the first set. Rules may name only these channels; any if `channels` is None.

        `safety` is the safety document, if the folder does not hold it.

        Raises:
            RuleErrors: the rules are invalid; a process must not start with them.

        """
        # Before the load, so that the next check notices a change during it.
        fingerprint = fingerprint_of(folder, safety)
        rules = load_reviewed(folder, channels, safety=safety)
        return cls(folder, rules, fingerprint, channels, safety)

    @property
    def own_domain_count(self) -> int:
        """The number of known domains of the account."""
        return len(self._own_domains)

    def protect_own_domains(self, domains: frozenset[str]) -> bool:
        """Add the account's own domains to the never-block list of this and every later set.

        Returns whether they have changed.
        """
        known = frozenset(map(canonical_domain, domains))
        if known == self._own_domains:
            return False
        self._own_domains = known
        self.current = self._complete(self._loaded)
        return True

    def use_providers(self, providers: AccountProviders) -> bool:
        """Take the providers of the account's mailboxes for this and every later set.

        Returns whether they have changed.
        """
        if providers == self._providers:
            return False
        self._providers = providers
        self.current = self._complete(self._loaded)
        return True

    @property
    def providers(self) -> AccountProviders:
        """The providers of the account's mailboxes, as far as known."""
        return self._providers

    def is_own_address(self, address: str) -> bool | None:
        """Whether an address is in one of the account's own domains; None if unknown."""
        if not self._own_domains:
            return None
        return canonical_address(address).rpartition("@")[2] in self._own_domains

    def forbids(self, pattern: str, kind: PatternKind) -> bool:
        """Whether the current never-block list forbids a block."""
        return self.current.safety.forbids(pattern, kind)

    @property
    def ignored_delivery_modes(self) -> frozenset[str]:
        """The delivery modes of messages that are never acted on."""
        return self.current.safety.ignored_delivery_modes

    async def watch(
        self, report: Callable[[Reload], Awaitable[None]], every: timedelta = CHECK_INTERVAL
    ) -> None:
        """Check for changes until cancelled, and report every reload.

        After a report that raised, the next call begins with it: a refusal must not go unnoticed.
        """
        while True:
            if self._unreported is not None:
                await report(self._unreported)
                self._unreported = None
            await asyncio.sleep(every.total_seconds())
            self._unreported = await self.reload_if_changed()

    async def reload_if_changed(self) -> Reload | None:
        """Reload if a file has changed; None if none has, or the rules are still the same."""
        fingerprint = await self._read_fingerprint()
        if fingerprint == self._fingerprint:
            return None

        try:
            rules = await asyncio.to_thread(
                load_reviewed, self._folder, self._channels, safety=self._safety
            )
        except Exception as error:  # noqa: BLE001 - whatever happens, the current set stays
            # Broken files are not loaded again until they change.
            self._fingerprint = fingerprint
            self.problem = str(error)
            has_new_safety = await asyncio.to_thread(self._take_safety)
            return Reload(self.current.version, None, error, has_new_safety)

        if not await self._is_settled(fingerprint):
            return None
        return self._take(rules, fingerprint)

    async def _read_fingerprint(self) -> object:
        return await asyncio.to_thread(fingerprint_of, self._folder, self._safety)

    async def _is_settled(self, fingerprint: object) -> bool:
        """Whether no file changed while the rules were read.

        Else they may be half of an old set and half of a new one, without its exceptions. A folder
        that always changes is taken as it is after a few looks.
        """
        is_settled = await self._read_fingerprint() == fingerprint
        self._unsettled = 0 if is_settled else self._unsettled + 1
        return is_settled or self._unsettled > _MOST_UNSETTLED

    def _take(self, rules: RuleSet, fingerprint: object) -> Reload | None:
        was_refused, old = self.problem is not None, self.current.version
        self._fingerprint, self.problem = fingerprint, None
        if rules.version == old:
            return Reload(old, old) if was_refused else None

        self._use(rules)
        return Reload(old, rules.version)

    def _take_safety(self) -> bool:
        """Put the current rules under the safety document as it is now, if that is in order."""
        try:
            safety = load_safety(self._folder, self._safety)
        except (RuleErrors, OSError):
            return False

        if safety == self._loaded.safety:
            return False
        self._use(self._loaded.with_safety(safety))
        return True

    def _use(self, rules: RuleSet) -> None:
        self._loaded = rules
        self.current = self._complete(rules)

    def _complete(self, rules: RuleSet) -> RuleSet:
        """Give the same set, of the same version, with what is known of the account."""
        # A copy, and shallow: both sets share the compiled conditions.
        completed = rules.with_providers(self._providers)
        if self._own_domains:
            completed.safety = rules.safety.with_own_domains(self._own_domains)
        return completed


def fingerprint_of(folder: Path, safety: Path | None = None) -> object:
    """Give a value that changes when a rule file is added, removed or modified.

    What cannot be looked at is part of the value: a folder with an error is another folder, which
    the load refuses with a problem that people can read. It raises no `OSError`.
    """
    listing = list_rule_folder(folder)
    files = [folder / path for path in listing.files]
    if safety is not None:
        files.append(safety)
    return (
        sorted((str(path), *_identify(path)) for path in files),
        sorted((str(path), reason) for path, reason in listing.problems.items()),
    )


def _identify(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        return (0, 0, error.errno or 0)
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
