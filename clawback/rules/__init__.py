"""Sigma rules, from a folder of YAML to matches with a plan.

`source` reads, `engine` evaluates, `lint` checks, `tools` builds on all three; `loader` and `live`
load a folder. Touch it when the rule language or its evaluation changes.
"""

from typing import TYPE_CHECKING

from clawback.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from clawback.rules.engine.filter import Filter
    from clawback.rules.engine.matches import RuleMatch
    from clawback.rules.engine.ruleset import Evaluation, Rule, RuleSet
    from clawback.rules.loader import load_rules
    from clawback.rules.source.errors import Place, Problem, RuleErrors
    from clawback.rules.source.safety import Safety
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "Filter": "engine.filter",
            "RuleMatch": "engine.matches",
            "Evaluation": "engine.ruleset",
            "Rule": "engine.ruleset",
            "RuleSet": "engine.ruleset",
            "load_rules": "loader",
            "Place": "source.errors",
            "Problem": "source.errors",
            "RuleErrors": "source.errors",
            "Safety": "source.safety",
        },
    )

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
