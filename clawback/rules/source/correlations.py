"""Reads Sigma correlations: the subset that can be decided while events still arrive."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import isfinite

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError

from clawback.correlation.aggregates import Bound, Comparison
from clawback.correlation.sliding_window import CorrelationType, CorrelationWindow
from clawback.model.suggestions import did_you_mean
from clawback.rules.source.documents import CorrelationBody, CorrelationDocument
from clawback.rules.source.errors import Code, Problems
from clawback.rules.source.yaml_reader import Document

# What each operator adds: more than 2 is at least 3.
_COUNTS = {SigmaCorrelationConditionOperator.GTE: 0, SigmaCorrelationConditionOperator.GT: 1}
_CORRELATION = "correlation"
_ALL = 100  # percent


@dataclass(frozen=True, slots=True)
class Correlation:
    """A threshold over events of several rules in a sliding window.

    `rules` are names or ids as written; the builder replaces ids. `aliases` maps an alias to the
    field of each rule.
    """

    type: CorrelationType
    rules: tuple[str, ...]
    timespan: timedelta
    group_by: tuple[str, ...] = ()
    at_least: int = 1
    bound: Bound | None = None
    value_field: str | None = None
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def window(self) -> CorrelationWindow:
        """The window that a case carries, without those of inner correlations."""
        return CorrelationWindow(
            type=self.type,
            timespan=self.timespan,
            at_least=self.at_least,
            bound=self.bound,
            rules=self.rules,
        )

    def resolve_field(self, name: str, rule: str) -> str:
        """Resolve a group-by name for events of one referenced rule."""
        return self.aliases.get(name, {}).get(rule, name)


class _Unsupported(ValueError):
    def __init__(self, path: tuple[str, ...], message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.remedy = remedy


def read_correlation(
    read: CorrelationDocument, document: Document, problems: Problems
) -> Correlation | None:
    """Read a correlation; None, and a problem, if it is wrong or not supported."""
    try:
        return _correlation(read)
    except _Unsupported as error:
        place = document.value_at(_CORRELATION, *error.path)
        problems.add(place, Code.CORRELATION, str(error), text=read.name, remedy=error.remedy)
    except SigmaError as error:
        problems.add(document.value_at(_CORRELATION), Code.CORRELATION, str(error), text=read.name)

    return None


def _correlation(read: CorrelationDocument) -> Correlation:
    body = read.correlation
    _check_percentile(body.condition)
    if body.generate is not None:
        raise _Unsupported(
            ("generate",),
            "generate is not supported",
            "remove it: a referenced rule acts if it has a response of its own",
        )

    if body.type not in set(CorrelationType):
        remedy = did_you_mean(body.type, [kind.value for kind in CorrelationType])
        raise _Unsupported(
            ("type",), f"the correlation type {body.type!r} is not supported", remedy
        )

    kind = CorrelationType(body.type)
    _check_shape(kind, body)
    data = body.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    # In a unit that pySigma knows too.
    data["timespan"] = f"{int(body.timespan.total_seconds())}s"
    parsed = SigmaCorrelationRule.from_dict(
        {"title": read.title, "name": read.name, _CORRELATION: _with_lists(data)}
    )
    read_so_far = Correlation(
        type=kind,
        rules=tuple(dict.fromkeys(reference.reference for reference in parsed.rules or ())),
        timespan=body.timespan,
        group_by=body.group_by,
        aliases=body.aliases,
    )
    return _with_threshold(read_so_far, parsed, given=body.condition is not None)


def _check_percentile(condition: object) -> None:
    """Refuse what pySigma would round: 99.9 is not 99."""
    found = condition.get("percentile", 1) if isinstance(condition, dict) else 1
    if not isinstance(found, int) or isinstance(found, bool):
        raise _Unsupported(
            ("condition", "percentile"),
            f"{found} is not a percentile",
            "write a whole number from 1 to 100",
        )


def _check_shape(kind: CorrelationType, body: CorrelationBody) -> None:
    """Refuse what pySigma would refuse, with the line to write."""
    is_temporal = kind in {CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED}
    if not body.rules and not isinstance(body.condition, str):
        message = "it names no rules of which matches count"
        raise _Unsupported((), message, "write rules: [name_of_a_rule]")
    if isinstance(body.condition, str) and not is_temporal:
        message = f"{kind} needs a threshold, not a text"
        raise _Unsupported(("condition",), message, "write condition: {gte: 3}")
    if not isinstance(body.condition, dict):
        return

    known = [operator.name.lower() for operator in SigmaCorrelationConditionOperator]
    others = {"field", "percentile"} if kind.is_aggregate else {"field"}
    comparisons = [key for key in body.condition if key not in others]
    if len(comparisons) != 1 or comparisons[0] not in known:
        message = "a threshold is one comparison"
        raise _Unsupported(("condition",), message, "write condition: {gte: 3}")
    count = body.condition[comparisons[0]]
    is_number = isinstance(count, float) and isfinite(count) and kind.is_aggregate
    if (not isinstance(count, int) or isinstance(count, bool)) and not is_number:
        what = "number" if kind.is_aggregate else "count"
        message = f"{str(count)[:40]} is not a {what}"
        remedy = "write a number" if kind.is_aggregate else "write a whole number of at least 1"
        raise _Unsupported(("condition", comparisons[0]), message, remedy)


def _with_lists(data: dict[str, object]) -> dict[str, object]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}


def _with_threshold(read: Correlation, parsed: SigmaCorrelationRule, *, given: bool) -> Correlation:
    kind, condition = read.type, parsed.condition
    if kind in {CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED}:
        if isinstance(condition, SigmaExtendedCorrelationCondition):
            return replace(read, rules=_rules_joined_by_and(condition))

        if given:
            raise _Unsupported(
                ("condition",),
                f"{kind} takes no count",
                "remove the condition: all rules must match",
            )

        return replace(read, rules=tuple(reference.reference for reference in parsed.rules or ()))

    if not given or not isinstance(condition, SigmaCorrelationCondition):
        raise _Unsupported((), f"{kind} needs a condition", "write condition: {gte: 3}")

    counted = replace(read, value_field=_value_field(kind, condition))
    if kind.is_aggregate:
        return replace(counted, bound=_bound(kind, condition))
    return replace(counted, at_least=_count(condition))


def _bound(kind: CorrelationType, condition: SigmaCorrelationCondition) -> Bound:
    said = condition.op.name.lower()
    if said not in set(Comparison):
        raise _Unsupported(
            ("condition",),
            f"{said} is not supported: numbers rarely come to exactly this",
            "use gte, gt, lte or lt",
        )

    if kind is CorrelationType.VALUE_SUM and condition.op not in _COUNTS:
        raise _Unsupported(
            ("condition",),
            f"{said} is not supported: a sum cannot be decided while events still arrive",
            "use gte or gt",
        )

    if kind is not CorrelationType.VALUE_PERCENTILE:
        if condition.percentile is not None:
            raise _Unsupported(("condition",), f"{kind} takes no percentile", "remove percentile")
    elif condition.percentile is None or not 1 <= condition.percentile <= _ALL:
        raise _Unsupported(
            ("condition",), "the percentile is missing", "write percentile: 95, from 1 to 100"
        )

    return Bound(
        comparison=Comparison(said), number=condition.count, percentile=condition.percentile
    )


def _count(condition: SigmaCorrelationCondition) -> int:
    if condition.op not in _COUNTS:
        said = condition.op.name.lower()
        raise _Unsupported(
            ("condition",),
            f"{said} is not supported: it cannot be decided while events still arrive",
            "use gte or gt",
        )

    if not isinstance(condition.count, int) or condition.count + _COUNTS[condition.op] < 1:
        raise _Unsupported(
            ("condition",),
            f"{condition.count} is not a count",
            "write a whole number of at least 1",
        )

    return condition.count + _COUNTS[condition.op]


def _value_field(kind: CorrelationType, condition: SigmaCorrelationCondition) -> str | None:
    fieldref = condition.fieldref
    if kind is not CorrelationType.EVENT_COUNT and not isinstance(fieldref, str):
        raise _Unsupported(
            ("condition",), f"{kind} over several fields is not supported", "name one field"
        )

    if kind is CorrelationType.EVENT_COUNT and fieldref is not None:
        raise _Unsupported(
            ("condition",),
            "event_count counts events, not a field",
            "use value_count, or remove field",
        )

    return fieldref if isinstance(fieldref, str) else None


def _rules_joined_by_and(condition: SigmaExtendedCorrelationCondition) -> tuple[str, ...]:
    parsed = condition.parsed
    items: list[SigmaRuleReference | CorrelationConditionItem] = (
        parsed.args if isinstance(parsed, CorrelationConditionAND) else [parsed]
    )
    names = [item.reference for item in items if isinstance(item, SigmaRuleReference)]
    if len(names) != len(items):
        remedy = "join the rules with and; write one correlation per alternative"
        raise _Unsupported(("condition",), "or and not between rules are not supported", remedy)

    return tuple(names)


# ---- correlations that refer to correlations


class CorrelationGraph:
    """The correlations of a rule set by name; the loader has refused cycles.

    A path leads from a correlation down to a rule with a condition: the names of the correlations
    between, then that of the rule.
    """

    def __init__(self, correlations: Mapping[str, Correlation]) -> None:
        self.correlations = correlations

    def paths(self, correlation: Correlation) -> Iterator[tuple[str, ...]]:
        """Give the paths to every rule below a correlation."""
        for name in dict.fromkeys(correlation.rules):
            inner = self.correlations.get(name)
            if inner is None:
                yield (name,)
            else:
                yield from ((name, *path) for path in self.paths(inner))

    def leaves(self, correlation: Correlation) -> tuple[str, ...]:
        """Name the rules with a condition below a correlation."""
        return tuple(dict.fromkeys(path[-1] for path in self.paths(correlation)))

    def window(self, correlation: Correlation) -> CorrelationWindow:
        """Give the window of a correlation with those of the correlations below it."""
        inner = {
            name: self.window(self.correlations[name])
            for name in correlation.rules
            if name in self.correlations
        }
        return correlation.window.model_copy(update={"inner": inner})

    def resolve_field(self, correlation: Correlation, name: str, path: tuple[str, ...]) -> str:
        """Resolve a group-by name to the field of the rule at the end of a path."""
        field = correlation.resolve_field(name, path[0])
        if len(path) == 1:
            return field
        return self.resolve_field(self.correlations[path[0]], field, path[1:])
