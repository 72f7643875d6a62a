"""What the safety document limits, read anew when it is a minute old: pages show it, workers hold.

What cannot be read is None: pages then leave it out, and the workers decide as always.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from clawback.case_files.undo_preview import read_undo_limits
from clawback.cases.undo_judgement import UndoLimits
from clawback.guard import Budgets
from clawback.rules import RuleErrors
from clawback.rules.source.safety_file import load_safety
from clawback.settings import Settings

_FRESH: Final = timedelta(minutes=1)


@dataclass
class SafetyLimits:
    """The budgets of all rules, and what one person may undo alone."""

    settings: Settings
    now: Callable[[], datetime]
    _read_at: datetime | None = None
    _budgets: Budgets | None = None
    _undo: UndoLimits | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def budgets(self) -> Budgets | None:
        """Return the budgets; None if the document cannot be read here."""
        await self._refresh()
        return self._budgets

    async def undo(self) -> UndoLimits | None:
        """Return what one person may undo alone; None if nobody is asked."""
        await self._refresh()
        return self._undo

    async def _refresh(self) -> None:
        async with self._reading:
            if self._read_at is not None and self.now() - self._read_at < _FRESH:
                return
            self._budgets, self._undo = await asyncio.to_thread(self._read)
            self._read_at = self.now()

    def _read(self) -> tuple[Budgets | None, UndoLimits | None]:
        rules, safety = self.settings.rules, self.settings.safety
        try:
            budgets = load_safety(rules, safety).budgets.budgets
        except (RuleErrors, OSError):
            budgets = None
        return budgets, read_undo_limits(rules, safety)
