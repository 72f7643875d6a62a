"""Why a case is held, and what each cause means for it."""

from enum import StrEnum


class HoldCause(StrEnum):
    """Why a case is held. Cases of one rule and cause can be decided together."""

    APPROVAL = "approval"
    """The rule or the action needs approval."""
    CHANGED = "changed"
    """Something that the case rests on has changed since its messages matched."""
    DEMOTED = "demoted"
    CAMPAIGN = "campaign"
    RULE_LIMIT = "rule_limit"
    """The limits that the rule itself has."""
    RULE_BUDGET = "rule_budget"
    """The budget of safety.yml for a rule without limits of its own."""
    SHARE = "share"
    """The budgets of all rules together, or the share of a level."""
    SURGE = "surge"

    @property
    def passes(self) -> bool:
        """Whether it ends without a decision about the case.

        The window of a budget moves on, and people confirm a rule.
        """
        return self in _PASSING

    @property
    def yields(self) -> bool:
        """Whether mail to protected people may go on all the same, out of its reserve."""
        return self in _YIELDING


_PASSING = frozenset(
    {
        HoldCause.DEMOTED,
        HoldCause.RULE_LIMIT,
        HoldCause.RULE_BUDGET,
        HoldCause.SHARE,
        HoldCause.SURGE,
    }
)
_YIELDING = frozenset({HoldCause.RULE_BUDGET, HoldCause.SHARE, HoldCause.SURGE})
