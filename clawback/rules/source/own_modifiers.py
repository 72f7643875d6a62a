"""The modifiers that Sigma lacks: `confusable` and `lookalike`."""

from collections.abc import Sequence

from sigma.rule import SigmaDetectionItem

from clawback.rules.source.condition import Confusable, Test, Text
from clawback.rules.source.lookalike import Lookalike
from clawback.rules.source.sigma_values import Unsupported

CONFUSABLE = "confusable"
LOOKALIKE = "lookalike"
OWN_MODIFIERS = (CONFUSABLE, LOOKALIKE)

_MOST_DOMAINS = 5_000
_COMPANIONS = {
    CONFUSABLE: frozenset({"contains", "startswith", "endswith", "all", "expand", "neq"}),
    LOOKALIKE: frozenset({"expand", "neq"}),
}


def without_own(key: str) -> str:
    """Give a key of a selection as Sigma knows it."""
    name, *modifiers = key.split("|")
    return "|".join([name, *(one for one in modifiers if one not in OWN_MODIFIERS)])


def apply_own(
    key: str, item: SigmaDetectionItem, groups: Sequence[tuple[Test, ...]]
) -> list[tuple[Test, ...]]:
    """Apply the modifiers of ours in a key to the tests of its values.

    Raises:
        Unsupported: they do not fit the other modifiers or the values.

    """
    modifiers = key.split("|")[1:]
    found = [one for one in OWN_MODIFIERS if one in modifiers]
    if not found:
        return list(groups)

    _check_companions(found[0], modifiers)
    if found[0] == CONFUSABLE:
        return [tuple(map(_as_confusable, tests)) for tests in groups]

    # One test for all domains: which of them are genuine decides about the others.
    domains = tuple(dict.fromkeys(_as_domain(test) for tests in groups for test in tests))
    if len(domains) > _MOST_DOMAINS:
        raise Unsupported(
            f"lookalike takes at most {_MOST_DOMAINS} domains", "name those that are imitated"
        )
    del item.value[1:]
    return [(Lookalike(domains),)]


def _check_companions(own: str, modifiers: Sequence[str]) -> None:
    clash = sorted(set(modifiers) - _COMPANIONS[own] - {own})
    if clash:
        remedy = f"it goes with {', '.join(sorted(_COMPANIONS[own]))}"
        raise Unsupported(f"{own} cannot be combined with {', '.join(clash)}", remedy)


def _as_confusable(test: Test) -> Confusable:
    if not isinstance(test, Text):
        raise Unsupported("confusable needs a string", "put it in quotes")

    parts = list(test.parts)
    if parts and isinstance(parts[0], str):
        parts[0] = parts[0].lstrip()
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip()
    return Confusable(Text(tuple(parts)))


def _as_domain(test: Test) -> str:
    if not isinstance(test, Text) or not test.literal:
        raise Unsupported("lookalike needs domains without wildcards", "write x.test, not *.x.test")
    return test.literal
