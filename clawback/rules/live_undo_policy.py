"""What holds for undo now, by the rules that are loaded."""

from collections.abc import Callable, Iterable

from clawback.actions import Occasion
from clawback.cases.undo_judgement import UndoLimits
from clawback.rules.engine.ruleset import Rule, RuleSet

_MOST_CHANNELS = 10


class LiveUndoPolicy:
    """What one person may undo alone, and who is told of what needs two."""

    def __init__(self, rules: Callable[[], RuleSet], *, is_limited: bool = True) -> None:
        self._rules = rules
        self._is_limited = is_limited

    @property
    def limits(self) -> UndoLimits | None:
        """What one person may undo alone; None if that is everything."""
        return self._rules().safety.undo_limits if self._is_limited else None

    def channels(self, names: Iterable[str]) -> tuple[str, ...]:
        """The channels that some rules tell of a held case; if there are none, those of all."""
        rules = self._rules().rules
        some = [rules[name] for name in dict.fromkeys(names) if name in rules]
        return _channels(some, Occasion.HELD) or _channels(rules.values(), Occasion.HELD)

    def told_after(self, names: Iterable[str]) -> tuple[str, ...]:
        """The channels that some rules tell of what was undone."""
        rules = self._rules().rules
        some = (rules[name] for name in dict.fromkeys(names) if name in rules)
        return _channels(some, Occasion.UNDONE)


def _channels(rules: Iterable[Rule], occasion: Occasion) -> tuple[str, ...]:
    told = (
        action.channel
        for rule in rules
        if rule.response is not None
        for action in rule.response.notifications
        if not action.is_for_reporters and action.is_due_on(occasion)
    )
    return tuple(dict.fromkeys(told))[:_MOST_CHANNELS]
