"""The rules as the console's folder has them now, for what the HTTP API says of rules and cases."""

import asyncio
from typing import Final

import structlog

from clawback.rules import RuleErrors, RuleSet, load_rules
from clawback.rules.live import fingerprint_of
from clawback.settings import Settings

log = structlog.get_logger("clawback")
_UNREADABLE: Final = (OSError, RuleErrors)


class LoadedRules:
    """Loads the folder when it is asked for, and again when a file has changed.

    With errors in the folder, the last rules without errors stay.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder, self._safety = settings.rules, settings.safety
        self._rules: RuleSet | None = None
        self._fingerprint: object = None
        self._turn = asyncio.Lock()

    async def read(self) -> RuleSet | None:
        """Return the rules; None if they could never be read."""
        async with self._turn:
            found = await asyncio.to_thread(fingerprint_of, self._folder, self._safety)
            if found != self._fingerprint:
                self._fingerprint = found
                try:
                    self._rules = await asyncio.to_thread(load_rules, self._folder, self._safety)
                except _UNREADABLE as error:
                    log.warning("console.rules_unreadable", error_type=type(error).__name__)
            return self._rules
