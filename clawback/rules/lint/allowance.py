"""Finds rules whose status the safety document does not allow.

They load with a weaker mode, so that a rule that asks for too much stops no other. `rules check`
calls them errors, for a review before they are merged.
"""

from clawback.rules.source.errors import Code, Problems
from clawback.rules.source.loaded import Loaded, LoadedRule

_EFFECTS = {"approve": "it asks people first", "shadow": "it only records"}


def check_allowance(loaded: Loaded, found: Problems) -> None:
    """Report each rule that could go further than `allow` of the safety document says."""
    for rule in loaded.rules:
        if rule.response is not None:
            _check_rule(rule, loaded, found)


def _check_rule(rule: LoadedRule, loaded: Loaded, found: Problems) -> None:
    name, status = rule.read.name, rule.status
    allowed = loaded.safety.ceiling_of(name)
    if status.ceiling.capped(allowed) is status.ceiling:
        return

    found.add(
        rule.document.value_at("status") if rule.read.status else rule.document.place,
        Code.NOT_ALLOWED,
        f"safety.yml does not allow {name} this status: {_EFFECTS[allowed]}",
        text=status,
        remedy=f"lower the status, or have the owners of safety.yml add {name} to allow.{status}",
    )
