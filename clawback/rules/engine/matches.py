"""From a match to the plan of its case: the response of the rule for the group of the event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from clawback.actions import Action
from clawback.cases.plan import CasePlan, group_hash
from clawback.correlation.sliding_window import Link
from clawback.model.events import Event
from clawback.model.texts import bounded
from clawback.rules.engine.field_values import is_derived, reader_of
from clawback.rules.source.field_catalogue import LONGEST_VALUE, Field, as_group_value
from clawback.rules.source.responses import TEMPLATE

_CACHED_PLANS = 1024


@dataclass(frozen=True, slots=True)
class GroupField:
    """One field of a group: its name in the plan, its path in the record, its catalogue entry."""

    name: str
    path: tuple[str, ...]
    field: Field | None

    def value(self, record: Mapping[str, Any]) -> str | None:
        """Read the normalised value of this field."""
        return as_group_value(self.field, self.cache_key(record))

    def cache_key(self, record: Mapping[str, Any]) -> str | None:
        """Read the value in hashable form; strings are normalised only on a cache miss."""
        if len(self.path) == 1 and not is_derived(self.path):
            raw = record.get(self.path[0])
        else:
            raw = next(iter(reader_of(self.path)(record)), None)
        return raw if isinstance(raw, str) else as_group_value(self.field, raw)


@dataclass(frozen=True, slots=True)
class CountedField:
    """The field that a correlation counts, and how many of its values one event needs at `most`.

    An event with that many different values satisfies the correlation by itself.
    """

    field: GroupField
    most: int = 1

    def values(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """Read the different normalised values of an event."""
        known = self.field.field
        found: dict[str, None] = {}
        for raw in reader_of(self.field.path)(record):
            if (value := as_group_value(known, raw)) is not None:
                found[value] = None
                if len(found) == self.most:
                    break
        return tuple(found)


@dataclass(frozen=True, slots=True)
class InnerGroup:
    """A correlation that another one refers to: its group-by fields, and the field it counts."""

    fields: tuple[GroupField, ...]
    counted: CountedField | None

    def link(self, event: Event) -> Link:
        """Give the group and the counted values of an event."""
        group = group_hash({field.name: field.value(event.record) for field in self.fields})
        values = self.counted.values(event.record) if self.counted is not None else ()
        return Link(group=group, values=values)


class Responder:
    """Plans the cases of one responding rule for the events that match the rule `matched`.

    The two differ for a correlation: `matched` is then the path to the rule below it, and an event
    without a value in one of the `required` fields counts for no group. Plans are cached by group.
    """

    def __init__(
        self,
        plan: CasePlan,
        matched: str,
        fields: tuple[GroupField, ...],
        counted: CountedField | None = None,
        inner: tuple[InnerGroup, ...] = (),
    ) -> None:
        self.matched = matched
        self.inner = inner
        self._plan = plan
        self._fields = fields
        self._counted = counted
        self.required: tuple[GroupField, ...] = ()
        if plan.correlation is not None:
            self.required = (*fields, *(field for one in inner for field in one.fields))
        self._names = tuple(field.name for field in fields)
        self._plan_of_key = lru_cache(maxsize=_CACHED_PLANS)(self._plan_group)
        self._plan_of_value = lru_cache(maxsize=_CACHED_PLANS)(
            lambda value: self._plan_group((value,))
        )
        self._single = _single_field(fields)

    def values_of(self, event: Event) -> tuple[str, ...]:
        """Give the values that a correlation counts, or its number; none for any other rule."""
        return self._counted.values(event.record) if self._counted is not None else ()

    def missing_fields(self, event: Event) -> list[str]:
        """Name the required fields in which the event has no value."""
        return [
            ".".join(field.path) for field in self.required if field.value(event.record) is None
        ]

    def plan_of(self, event: Event) -> CasePlan:
        """Give the plan for the group of an event.

        An event without a value in one of the group fields gets a case of its own, which all states
        of a changing record share.
        """
        value = event.record.get(self._single)
        if value.__class__ is str:  # the usual case, without a call for each field
            plan = self._plan_of_value(value)
        else:
            plan = self._plan_of_key(tuple([one.cache_key(event.record) for one in self._fields]))
        if plan is not None:
            return plan
        return self._fill((*(one.value(event.record) for one in self._fields), event.identity))

    def _plan_group(self, key: tuple[str | None, ...]) -> CasePlan | None:
        """Plan a group; None if it lacks a value and each event is a case of its own."""
        pairs = zip(self._fields, key, strict=True)
        values = tuple([as_group_value(field.field, value) for field, value in pairs])
        return None if None in values else self._fill(values)

    def _fill(self, values: tuple[str | None, ...]) -> CasePlan:
        """Fill in the values of the group fields, and of `event` if there is one more value."""
        return fill_plan(self._plan, dict(zip((*self._names, "event"), values, strict=False)))


def fill_plan(plan: CasePlan, group: Mapping[str, str | None]) -> CasePlan:
    """Fill the values of a group into the templates of a plan."""
    actions = tuple(_fill_templates(action, group) for action in plan.actions)
    return plan.model_copy(update={"group": dict(group), "actions": actions})


def _single_field(fields: Sequence[GroupField]) -> str:
    """Name the field of a group that has a single one, at the top of the record; else empty."""
    paths = [field.path for field in fields if not is_derived(field.path)]
    return paths[0][0] if len(paths) == len(fields) == 1 and len(paths[0]) == 1 else ""


def _fill_templates(action: Action, group: Mapping[str, str | None]) -> Action:
    texts = {field: getattr(action, field) for field in action.templated_fields}
    filled = {
        field: bounded(TEMPLATE.sub(lambda found: group.get(found[1]) or "", text), LONGEST_VALUE)
        for field, text in texts.items()
        if "{" in text
    }
    return action.model_copy(update=filled) if filled else action


class RuleMatch:
    """A rule that responds to an event.

    The plan is made on demand: not every reader needs it, and matching is much cheaper.
    """

    __slots__ = ("_event", "_responder")

    def __init__(self, responder: Responder, event: Event) -> None:
        self._responder = responder
        self._event = event

    @property
    def plan(self) -> CasePlan:
        """The response of the rule for the group of the event."""
        return self._responder.plan_of(self._event)

    @property
    def rule(self) -> str:
        """The rule that the event matches; below a correlation, the path to it."""
        return self._responder.matched

    @property
    def values(self) -> tuple[str, ...]:
        """The values that a `value_count` counts, or the number that others add up."""
        return self._responder.values_of(self._event)

    @property
    def links(self) -> tuple[Link, ...]:
        """The group and values of the event in each correlation on the path to `rule`."""
        return tuple([one.link(self._event) for one in self._responder.inner])
