"""Compiles the tests for what looks alike: confusable texts, and domains that imitate others."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from clawback.model.confusables import skeletons_of
from clawback.model.lookalikes import Lookalikes
from clawback.rules.engine.field_values import as_text
from clawback.rules.engine.wildcards import Parts, match_any
from clawback.rules.source.condition import Confusable, Text, Wildcard
from clawback.rules.source.lookalike import Lookalike

Check = Callable[[Any], bool]


def likeness_checks(tests: Sequence[Confusable | Lookalike]) -> Iterator[Check]:
    """Compile the tests of a leaf to checks of one value, of which any may pass."""
    yield from (_check_domain(test) for test in tests if isinstance(test, Lookalike))
    if texts := [test.text for test in tests if isinstance(test, Confusable)]:
        yield _check_looks(texts)


def _check_domain(test: Lookalike) -> Check:
    imitated = Lookalikes(test.domains).find
    return lambda value: isinstance(value, str) and imitated(value) is not None


def _check_looks(texts: Sequence[Text]) -> Check:
    folded, seen = (match_any([_skeleton(text, number) for text in texts]) for number in range(2))

    def check(value: Any) -> bool:
        text = as_text(value)
        if text is None:
            return False
        skeletons = skeletons_of(text.strip())
        return folded(skeletons.folded) or seen(skeletons.seen)

    return check


def _skeleton(text: Text, number: int) -> Parts:
    """Give a text with wildcards in one of the two skeletons that a value has."""
    return tuple(
        part if isinstance(part, Wildcard) else skeletons_of(part)[number] for part in text.parts
    )
