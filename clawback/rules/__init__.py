"""Sigma rules, from a folder of YAML to matches with a plan.

`source` reads, `engine` evaluates, `lint` checks, `tools` builds on all three; `loader` and `live`
load a folder. Touch it when the rule language or its evaluation changes.
"""

from clawback.rules.engine.filter import Filter
from clawback.rules.engine.matches import RuleMatch
from clawback.rules.engine.ruleset import Evaluation, Rule, RuleSet
from clawback.rules.loader import load_rules
from clawback.rules.source.errors import Place, Problem, RuleErrors
from clawback.rules.source.safety import Safety

__all__ = [
    "Evaluation",
    "Filter",
    "Place",
    "Problem",
    "Rule",
    "RuleErrors",
    "RuleMatch",
    "RuleSet",
    "Safety",
    "load_rules",
]
