"""Correlations that refer to correlations.

The ways from one down to the rules that it is made of, and what names mean on the way.

There are no circles: the loader refuses them. `Correlations` are all correlations of a set, by
name.
"""

from collections.abc import Iterator, Mapping

from clawback.correlation.sliding_window import CorrelationWindow
from clawback.rules.source.correlations import Correlation

Correlations = Mapping[str, Correlation]


def ways(correlation: Correlation, among: Correlations) -> Iterator[tuple[str, ...]]:
    """Give the ways down to every rule with a condition.

    Its name, after those of the correlations between.
    """
    for name in dict.fromkeys(correlation.rules):
        if name not in among:
            yield (name,)
        else:
            yield from ((name, *way) for way in ways(among[name], among))


def leaves(correlation: Correlation, among: Correlations) -> tuple[str, ...]:
    """Name the rules with a condition that a correlation comes down to."""
    return tuple(dict.fromkeys(way[-1] for way in ways(correlation, among)))


def watch_of(correlation: Correlation, among: Correlations) -> CorrelationWindow:
    """What a correlation waits for, with what those it refers to wait for."""
    inner = {name: watch_of(among[name], among) for name in correlation.rules if name in among}
    return correlation.watch.model_copy(update={"inner": inner})


def field_of(correlation: Correlation, name: str, way: tuple[str, ...], among: Correlations) -> str:
    """Resolve a group-by name of a correlation to the field of the rule at the end of a way."""
    real = correlation.field_of(name, way[0])
    return real if len(way) == 1 else field_of(among[way[0]], real, way[1:], among)
