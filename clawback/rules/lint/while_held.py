"""Finds rules whose `while-held` never happens."""

from clawback.model.mode import Mode
from clawback.rules.source.errors import Code, Problems, Severity
from clawback.rules.source.loaded import Loaded


def check_while_held(loaded: Loaded, found: Problems) -> None:
    """Warn of each rule that asks people, and whose status keeps it from acting meanwhile."""
    for rule in loaded.rules:
        response = rule.response
        if response is None or response.while_held is None or response.mode is Mode.SHADOW:
            continue
        if rule.status.ceiling is not Mode.ENFORCE:
            found.add(
                rule.document.key_at("response", "while-held"),
                Code.WHILE_HELD,
                f"a rule with status {rule.status} does nothing while its cases are held",
                text="while-held",
                remedy="it happens without approval: raise the status to stable first",
                severity=Severity.WARNING,
            )
