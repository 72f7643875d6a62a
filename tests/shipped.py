"""The shipped rules, loaded once for all tests of a process: compiling them takes half a second."""

from functools import cache
from pathlib import Path

from clawback.rules import RuleSet, load_rules

RULES = Path(__file__).parents[1] / "rules"


@cache
def shipped_rules() -> RuleSet:
    """Load the shipped rules. Nothing may change what it returns."""
    return load_rules(RULES)
