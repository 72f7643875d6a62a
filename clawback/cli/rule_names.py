"""A rule that an option names: where nothing is found, a name that no rule has is an error."""

from clawback.cli.exits import ExitCode, Failure
from clawback.model.suggestions import find_near
from clawback.settings import load_settings

_SHOWN = 3


def require_loaded_rule(name: str | None) -> None:
    """Check the name of a rule of which nothing was found. Without a name: nothing to check.

    Raises:
        Failure: no rule that is loaded has it; the message has the nearest names.

    """
    if not name:
        return

    # Importing the rules takes longer than most lists, and this is for an empty one.
    from clawback.rules import RuleErrors, load_rules  # noqa: PLC0415 - see above

    settings = load_settings()
    try:
        known = load_rules(settings.rules, settings.safety).rules
    except (RuleErrors, OSError):
        return
    if name not in known:
        near = " or ".join(find_near(name, known)[:_SHOWN])
        remedy = (
            f"did you mean {near}?" if near else "`clawback rules list` has all that are loaded"
        )
        raise Failure(f"there is no rule {name!r}; {remedy}", ExitCode.NO)
