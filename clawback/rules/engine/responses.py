"""Responses: from a rule document to actions, and from a matching event to the plan of its case."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawback.actions import (
    CASE_WORDS,
    Action,
    ActionError,
    BulkMove,
    Move,
    Notice,
    Notify,
    TellReporter,
    parse_action,
    templated_fields,
    templates_of,
    texts_of,
)
from clawback.cases.plan import CasePlan, Limit, group_hash
from clawback.correlation.sliding_window import Link
from clawback.model.events import Event, EventKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.rules.engine.predicates import values_of
from clawback.rules.source.catalogue import Field
from clawback.rules.source.documents import ResponseDocument
from clawback.rules.source.errors import Code, Place, Problems
from clawback.rules.source.fields import LONGEST_VALUE, as_group_value
from clawback.rules.source.yaml_reader import Document

_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_MOST_PLANS = 8192
_RESPONSE = "response"

DEFAULT_GROUP: Mapping[EventKind, tuple[str, ...]] = {
    EventKind.MESSAGE: ("edf_hash",),
    EventKind.PHISHGUARD_REPORT: ("message.edf_hash",),
    EventKind.SUBMISSION: ("message.edf_hash",),
}
"""What makes a case of a campaign where a rule does not say."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a rule does: its actions with `{field}` still in them, whom it tells of them, and the group that shares a case."""

    mode: Mode
    group_by: tuple[str, ...]
    actions: tuple[Action, ...]
    limits: tuple[Limit, ...] = ()
    notices: tuple[Notice, ...] = ()


def read_response(
    read: ResponseDocument,
    group_by: tuple[str, ...],
    document: Document,
    problems: Problems,
    *,
    hard_delete: bool,
) -> Response | None:
    """Read a response whose group is `group_by`.

    None, and problems, where an action cannot be done as written.
    """
    actions, notices = list[Action](), list[Notice]()
    for index, item in enumerate(read.actions):
        action = _action(item, index, document, problems)
        if isinstance(action, Notify | TellReporter):
            _check_texts(action, index, group_by, document, problems)
            notices.append(action)
        elif action is not None:
            _check_templates(action, index, group_by, document, problems)
            _check_destination(action, index, document, problems, hard_delete=hard_delete)
            actions.append(action)
    limits = tuple(limit.limit for limit in read.limits)
    is_whole = len(actions) + len(notices) == len(read.actions)
    return (
        Response(read.mode, group_by, tuple(actions), limits, tuple(notices)) if is_whole else None
    )


def _action(
    item: Mapping[str, Any], index: int, document: Document, problems: Problems
) -> Action | Notice | None:
    place = document.value_at(_RESPONSE, "actions", index)
    if len(item) != 1:
        problems.add(
            place,
            Code.ACTION,
            "an action is one key and its parameters",
            text=", ".join(item),
            remedy="start a new item with a dash",
        )
        return None
    ((name, parameters),) = item.items()
    try:
        return parse_action(name, parameters)
    except ActionError as error:
        problems.add(place, Code.ACTION, str(error), text=name)
        return None


def _check_templates(
    action: Action, index: int, group_by: tuple[str, ...], document: Document, problems: Problems
) -> None:
    for text in templates_of(action):
        place = document.value_at(_RESPONSE, "actions", index, action.name)
        names = _TEMPLATE.findall(text)
        for name in names:
            if name not in group_by:
                remedy = (
                    f"add {name} to group-by, or write one of {', '.join(group_by)}"
                    if name
                    else "name a field between the braces"
                )
                problems.add(
                    place,
                    Code.TEMPLATE,
                    "a template takes a field of group-by, or it could be empty",
                    text=text,
                    remedy=remedy,
                )
        _check_braces(text, place, problems)


def _check_texts(
    notice: Notice, index: int, group_by: tuple[str, ...], document: Document, problems: Problems
) -> None:
    """Check the texts of a notice: what it says may be empty, but must be known."""
    known = (*group_by, *CASE_WORDS)
    for text in texts_of(notice):
        place = document.value_at(_RESPONSE, "actions", index, notice.name)
        for name in _TEMPLATE.findall(text):
            if name not in known:
                remedy = f"add it to group-by if it is a field, or write one of {', '.join(known)}"
                problems.add(
                    place,
                    Code.TEMPLATE,
                    f"a notice knows no {{{name[:60]}}}",
                    text=text,
                    remedy=remedy,
                )
        _check_braces(text, place, problems)


def _check_braces(text: str, place: Place, problems: Problems) -> None:
    if "{" in (rest := _TEMPLATE.sub("", text)) or "}" in rest:
        problems.add(
            place,
            Code.TEMPLATE,
            "a brace without its other half",
            text=text,
            remedy="write {field}",
        )


def _check_destination(
    action: Action, index: int, document: Document, problems: Problems, *, hard_delete: bool
) -> None:
    if (
        isinstance(action, Move | BulkMove)
        and action.destination is Destination.PURGES
        and not hard_delete
    ):
        place = document.value_at(_RESPONSE, "actions", index, action.name, "destination")
        remedy = "use RecoverableItemsDeletions, or set hard_delete: true in safety.yml"
        problems.add(
            place,
            Code.HARD_DELETE,
            "a hard delete is not permitted",
            text=action.destination,
            remedy=remedy,
        )


# ---- from event to plan


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
        field: _TEMPLATE.sub(lambda found: group.get(found[1]) or "", text)[:LONGEST_VALUE]
        for field, text in texts.items()
    }
    return action.model_copy(update=filled) if filled else action
