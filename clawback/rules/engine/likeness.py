"""Compiles the tests for what looks alike: confusable texts, and domains that imitate others."""

from collections.abc import Callable
from typing import Any

from clawback.model.confusables import skeletons_of
from clawback.model.lookalikes import Lookalikes
from clawback.rules.engine.field_values import as_text
from clawback.rules.engine.wildcards import match_parts
from clawback.rules.source.condition import Confusable, Text, Wildcard
from clawback.rules.source.lookalike import Lookalike


def compile_likeness(test: Confusable | Lookalike) -> Callable[[Any], bool]:
    """Compile one test to a check of one value."""
    if isinstance(test, Lookalike):
        imitated = Lookalikes(test.domains).find
        return lambda value: isinstance(value, str) and imitated(value) is not None

    folded, seen = (match_parts(parts) for parts in _skeleton_parts(test.text))

    def check(value: Any) -> bool:
        text = as_text(value)
        if text is None:
            return False
        skeletons = skeletons_of(text.strip())
        return folded(skeletons.folded) or seen(skeletons.seen)

    return check


def _skeleton_parts(text: Text) -> list[tuple[str | Wildcard, ...]]:
    """Give a text with wildcards in each of the two skeletons that a value has."""
    parts = [part if isinstance(part, Wildcard) else skeletons_of(part) for part in text.parts]
    return [
        tuple(part if isinstance(part, Wildcard) else part[number] for part in parts)
        for number in range(2)
    ]
