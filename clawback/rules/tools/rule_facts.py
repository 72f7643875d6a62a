"""What people are told of the rules as they are now, without the rules: small enough to keep."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from clawback.cases import Limit
from clawback.guard import Budgets
from clawback.model.events import EventKind
from clawback.rules.engine.ruleset import RuleSet


class RuleFacts(BaseModel):
    """Facts by the name of a rule: its version, the limits of its own, the kinds that it reads.

    A rule without a response has no entry in `limits`; one that keeps to the common limits has an
    empty one. `budgets` are those of the safety document.
    """

    model_config = ConfigDict(frozen=True)

    versions: Mapping[str, str] = {}
    limits: Mapping[str, tuple[Limit, ...]] = {}
    kinds: Mapping[str, tuple[EventKind, ...]] = {}
    budgets: Budgets = Budgets()

    @classmethod
    def of(cls, rules: RuleSet) -> "RuleFacts":
        """Take the facts out of loaded rules."""
        every = rules.rules.values()
        return cls(
            versions={rule.name: rule.version for rule in every},
            limits={rule.name: rule.response.limits for rule in every if rule.response},
            kinds={rule.name: tuple(rule.kinds) for rule in every},
            budgets=rules.safety.budgets.budgets,
        )
