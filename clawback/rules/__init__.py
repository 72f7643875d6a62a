"""Sigma rules: load, check, compile, index, evaluate, explain, test."""

from clawback.rules.errors import Place, Problem, RuleErrors
from clawback.rules.loading import load_rules
from clawback.rules.responses import RuleMatch
from clawback.rules.ruleset import Evaluation, Filter, Rule, RuleSet
from clawback.rules.safety import Safety

__all__ = ["Evaluation", "Filter", "Place", "Problem", "Rule", "RuleErrors", "RuleMatch", "RuleSet", "Safety", "load_rules"]
