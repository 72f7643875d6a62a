"""Finds the rules that may match clean mail: without any, pollers read detections only.

Sound but not complete: a rule is left out only if it cannot match a message without a detection.
"""

from datetime import date

from clawback.model.events import EventKind
from clawback.rules.engine.ruleset import Rule, RuleSet
from clawback.rules.lint.satisfiability import can_hold
from clawback.rules.source.condition import Leaf, Text, Wildcard

_DETECTIONS = ("MALICIOUS", "SUSPICIOUS", "SPOOF", "SPAM", "BULK")
"""Verdicts that are detections, whatever follows (`MALICIOUS-BEC`).

Whether ENCRYPTED, EXTERNAL and UNKNOWN are detections is not documented, so they are not.
"""
_IS_DETECTION = Leaf(
    "final_disposition", tuple(Text((verdict, Wildcard.MANY)) for verdict in _DETECTIONS)
)


def rules_on_clean_mail(rules: RuleSet) -> tuple[str, ...]:
    """Name the rules with a response that may match a message without a detection.

    Exceptions count as expired, because each may expire while the rules are loaded.
    """
    return tuple(
        rule.name
        for rule in rules.rules.values()
        if rule.response is not None
        and any(may_match_clean_mail(rules.rules[name]) for name in rules.leaves(rule))
    )


def may_match_clean_mail(rule: Rule) -> bool:
    """Whether the condition of a rule may hold for a message without a detection."""
    if rule.tree is None or EventKind.MESSAGE not in rule.kinds:
        return False
    goals = ((rule.tree, True), (_IS_DETECTION, False))
    return can_hold(EventKind.MESSAGE, *goals, today=date.max).is_possible
