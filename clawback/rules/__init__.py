"""Sigma rules: load, check, compile, index, evaluate, explain, test."""

from clawback.rules.engine.matches import RuleMatch
from clawback.rules.engine.ruleset import Evaluation, Filter, Rule, RuleSet
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
