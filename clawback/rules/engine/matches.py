"""From a matching event to the plan of its case: the response, with the group of the event filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawback.actions import Action, templated_fields
from clawback.cases.plan import CasePlan, group_hash
from clawback.correlation.sliding_window import Link
from clawback.model.events import Event
from clawback.rules.engine.predicates import values_of
from clawback.rules.source.catalogue import LONGEST_VALUE, Field, as_group_value
from clawback.rules.source.responses import TEMPLATE

_MOST_PLANS = 8192


@dataclass(frozen=True, slots=True)
class GroupField:
    """One field of a group.

    Its name in the plan, its path in the record, its entry in the catalogue.
    """

    name: str
    path: tuple[str, ...]
    field: Field | None

    def value(self, record: Mapping[str, Any]) -> str | None:
        """Read the value of this field, as groups compare it."""
        raw = (
            record.get(self.path[0])
            if len(self.path) == 1
            else next(values_of(record, self.path), None)
        )
        return as_group_value(self.field, raw)


class RuleMatch:
    """One rule that asks for a response to one event.

    The plan of its case, the rule that matched, the value that is counted.

    The plan is made when it is first asked for: deciding what matches is much cheaper than
    planning, and not every reader plans.
    """

    __slots__ = ("_event", "_responder")

    def __init__(self, responder: "Responder", event: Event) -> None:
        self._responder = responder
        self._event = event

    @property
    def plan(self) -> CasePlan:
        """The response of the rule, frozen for the group of the event."""
        return self._responder.plan_of(self._event)

    @property
    def rule(self) -> str:
        """The rule that is true of the event.

        The responding rule itself, or the way to it from a correlation.
        """
        return self._responder.matched

    @property
    def value(self) -> str | None:
        """What a `value_count` counts."""
        return self._responder.value_of(self._event)

    @property
    def links(self) -> tuple[Link, ...]:
        """What the event is to each correlation on the way from the responding one to the rule that is true."""
        return tuple([one.link(self._event) for one in self._responder.inner])


@dataclass(frozen=True, slots=True)
class InnerGroup:
    """One correlation that another refers to.

    The fields that make its groups, and what it counts.
    """

    fields: tuple[GroupField, ...]
    counted: GroupField | None

    def link(self, event: Event) -> Link:
        """Say which group an event belongs to, and with which value."""
        group = group_hash({field.name: field.value(event.record) for field in self.fields})
        return Link(
            group=group,
            value=self.counted.value(event.record) if self.counted is not None else None,
        )


class Responder:
    """Makes the plans of one responding rule for events that one rule, `matched`, is true of.

    Once per group, and kept.
    """

    def __init__(
        self,
        plan: CasePlan,
        matched: str,
        fields: tuple[GroupField, ...],
        value: GroupField | None = None,
        inner: tuple[InnerGroup, ...] = (),
    ) -> None:
        self.matched = matched
        self.inner = inner
        self._plan = plan
        self._fields = fields
        self._value = value
        self._single = fields[0].path[0] if len(fields) == 1 and len(fields[0].path) == 1 else ""
        self._known: dict[str | tuple[str | None, ...], CasePlan] = {}

    def value_of(self, event: Event) -> str | None:
        """Give the value that is counted; None where none is."""
        return self._value.value(event.record) if self._value is not None else None

    def plan_of(self, event: Event) -> CasePlan:
        """Give the plan for the group of an event."""
        raw = event.record.get(self._single)
        if raw.__class__ is str and (known := self._known.get(raw)) is not None:
            return known
        values = tuple([field.value(event.record) for field in self._fields])
        if self._plan.watch is None and not any(values):
            return self._fill((*values, event.key), alone=True)
        key = raw if isinstance(raw, str) else values
        return self._known.get(key) or self._keep(key, self._fill(values))

    def _keep(self, key: str | tuple[str | None, ...], plan: CasePlan) -> CasePlan:
        if len(self._known) >= _MOST_PLANS:
            self._known.clear()
        self._known[key] = plan
        return plan

    def _fill(self, values: tuple[str | None, ...], *, alone: bool = False) -> CasePlan:
        names = [field.name for field in self._fields] + (["event"] if alone else [])
        group = dict(zip(names, values, strict=True))
        actions = tuple(_filled(action, group) for action in self._plan.actions)
        return self._plan.model_copy(update={"group": group, "actions": actions})


def _filled(action: Action, group: Mapping[str, str | None]) -> Action:
    texts = {
        field: text for field in templated_fields(action) if "{" in (text := getattr(action, field))
    }
    filled = {
        field: TEMPLATE.sub(lambda found: group.get(found[1]) or "", text)[:LONGEST_VALUE]
        for field, text in texts.items()
    }
    return action.model_copy(update=filled) if filled else action
