"""What the safety document limits, as the console shows it: workers decide by their own.

What cannot be read is None: pages then leave it out, and the workers decide as always.
"""

from dataclasses import dataclass

from clawback.cases.undo_judgement import DEFAULT_UNDO_LIMITS, UndoLimits
from clawback.console.sources.rule_folder import RuleFolder
from clawback.guard import Budgets
from clawback.rules.tools.rule_facts import RuleFacts


@dataclass
class SafetyLimits:
    """The budgets of all rules, and what one person may undo alone."""

    rules: RuleFolder

    async def budgets(self) -> Budgets | None:
        """Return the budgets; None if the document cannot be read here."""
        facts = await self._read()
        return None if facts is None else facts.budgets

    async def undo(self) -> UndoLimits | None:
        """Return what one person may undo alone; None if nobody is asked.

        The defaults if the document cannot be read: a worker may have others.
        """
        facts = await self._read()
        return DEFAULT_UNDO_LIMITS if facts is None else facts.undo

    async def _read(self) -> RuleFacts | None:
        facts = await self.rules.read_facts()
        return facts if facts is not None and facts.has_safety else None
