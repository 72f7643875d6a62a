"""Says which rules move to a folder that a provider of mailboxes lacks, and what is used there."""

from collections.abc import Iterable, Iterator

from clawback.actions import MoveAction
from clawback.model.folders import LACKING, folder_at
from clawback.model.messages import Destination
from clawback.model.providers import Provider
from clawback.rules.engine.ruleset import Rule, RuleSet

_MOST_NAMED = 3


def describe_lacking(rules: RuleSet, providers: Iterable[Provider]) -> Iterator[str]:
    """Yield a sentence for each provider and folder that it lacks and rules move to."""
    for provider in sorted(providers):
        for folder in sorted(LACKING[provider]):
            if names := moving_to(rules, folder):
                nearest = folder_at(provider, folder)
                yield (
                    f"{provider.product} has no {folder}, to which {_listed(names)} "
                    f"{'moves' if len(names) == 1 else 'move'}: mail there goes to {nearest}"
                )


def moving_to(rules: RuleSet, folder: Destination) -> list[str]:
    """Name the rules with an action that moves to a folder."""
    return [rule.name for rule in rules.rules.values() if folder in _folders_of(rule)]


def _folders_of(rule: Rule) -> set[Destination]:
    actions = rule.response.actions if rule.response else ()
    return {action.destination for action in actions if isinstance(action, MoveAction)}


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
