"""What people are told of the rules as they are now, without the rules: small enough to keep."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from clawback.cases import Limit
from clawback.cases.undo_judgement import UndoLimits
from clawback.guard import Budgets
from clawback.model.events import EventKind

if TYPE_CHECKING:  # the console keeps facts, and has no rule engine in memory
    from clawback.rules.engine.ruleset import RuleSet


class RuleFacts(BaseModel):
    """Facts by the name of a rule: its version, the limits of its own, the kinds that it reads.

    A rule without a response has no entry in `limits`; one that keeps to the common limits has an
    empty one. `budgets` and `undo` are those of the safety document, if it could be read:
    `has_safety`. Without `undo`, one person may undo anything alone.
    """

    model_config = ConfigDict(frozen=True)

    versions: Mapping[str, str] = {}
    limits: Mapping[str, tuple[Limit, ...]] = {}
    kinds: Mapping[str, tuple[EventKind, ...]] = {}
    budgets: Budgets = Budgets()
    undo: UndoLimits | None = None
    has_safety: bool = False

    def limits_of(self, rule: str, otherwise: tuple[Limit, ...] = ()) -> tuple[Limit, ...]:
        """Return what a reservation of a rule is held to: its own limits, else the common ones.

        `otherwise` are its own limits if it is not loaded any more.
        """
        own = self.limits.get(rule, otherwise)
        kinds = {limit.kind for limit in own}
        return (*own, *(limit for limit in self.budgets.rule if limit.kind not in kinds))


def facts_of(rules: "RuleSet") -> RuleFacts:
    """Take the facts out of loaded rules."""
    every = rules.rules.values()
    return RuleFacts(
        versions={rule.name: rule.version for rule in every},
        limits={rule.name: rule.response.limits for rule in every if rule.response},
        kinds={rule.name: tuple(rule.kinds) for rule in every},
        budgets=rules.safety.budgets.budgets,
        undo=rules.safety.undo_limits,
        has_safety=True,
    )
