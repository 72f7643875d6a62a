"""Reads the `response` of a rule document into actions, notifications and limits."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawback.actions import (
    CASE_WORDS,
    Action,
    ActionError,
    BaseAction,
    ContainmentAction,
    Move,
    NotificationAction,
    parse_action,
)
from clawback.cases.plan import Limit
from clawback.cases.while_held import FOLDERS, is_withheld
from clawback.model.events import SOURCES, EventKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.rules.source.documents import ResponseDocument, add_error
from clawback.rules.source.errors import Code, Place, Problems
from clawback.rules.source.yaml_reader import Document

TEMPLATE = re.compile(r"\{([^{}]*)\}")
_FIELD_TEMPLATE = re.compile(r"\{[A-Za-z_][\w.]*\}")
"""A template that names a field; unlike `TEMPLATE`, not the `{2}` of a regular expression."""
_RESPONSE = "response"

DEFAULT_GROUP: Mapping[EventKind, tuple[str, ...]] = {
    kind: source.default_group for kind, source in SOURCES.items()
}
"""The `group-by` of a rule that gives none."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a rule does: actions and notifications with templates, and the fields of a case."""

    mode: Mode
    group_by: tuple[str, ...]
    actions: tuple[Action, ...]
    limits: tuple[Limit, ...] = ()
    notifications: tuple[NotificationAction, ...] = ()
    while_held: Move | None = None


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
    actions, notifications = list[Action](), list[NotificationAction]()
    for index, item in enumerate(read.actions):
        action = _read_action(item, (_RESPONSE, "actions", index), document, problems)
        if action is not None:
            _check_literals(action, index, document, problems)

        if isinstance(action, NotificationAction):
            _check_texts(action, index, group_by, document, problems)
            notifications.append(action)
        elif isinstance(action, ContainmentAction):
            _check_templates(action, index, group_by, document, problems)
            _check_destination(action, index, document, problems, hard_delete=hard_delete)
            actions.append(action)

    if len(actions) + len(notifications) < len(read.actions):
        return None
    return Response(
        read.mode,
        group_by,
        tuple(actions),
        tuple(limit.limit for limit in read.limits),
        tuple(notifications),
        _read_while_held(read.while_held, actions, document, problems),
    )


def _read_action(
    item: Mapping[str, Any],
    path: tuple[str | int, ...],
    document: Document,
    problems: Problems,
    remedy: str = "start a new item with a dash",
) -> BaseAction | None:
    if len(item) != 1:
        problems.add(
            document.value_at(*path),
            Code.ACTION,
            "an action is one key and its parameters",
            text=", ".join(item),
            remedy=remedy,
        )
        return None

    ((name, parameters),) = item.items()
    try:
        return parse_action(name, parameters)
    except ActionError as error:
        for one in error.errors:
            if one.path:
                add_error(document, one, problems, below=(*path, name), code=Code.ACTION)
            else:
                place = document.key_at(*path, name)
                problems.add(place, Code.ACTION, one.message, text=name, remedy=one.remedy)
        return None


def _read_while_held(
    item: Mapping[str, Any] | None,
    actions: Sequence[Action],
    document: Document,
    problems: Problems,
) -> Move | None:
    if item is None:
        return None
    place = document.value_at(_RESPONSE, "while-held")
    folders = " or ".join(FOLDERS)
    action = _read_action(item, (_RESPONSE, "while-held"), document, problems, "write one move")
    if action is None:
        return None

    if not isinstance(action, Move) or action.destination not in FOLDERS:
        problems.add(
            place,
            Code.WHILE_HELD,
            "a held case may only move messages to where their recipients find them",
            text=action.describe(),
            remedy=f"write move: {{destination: {folders}}}",
        )
        return None
    if not any(map(is_withheld, actions)):
        problems.add(
            document.key_at(_RESPONSE, "while-held"),
            Code.WHILE_HELD,
            "no action of this rule takes messages away, so a held case holds none back",
            text="while-held",
            remedy="add a move to the actions, or remove while-held",
        )
        return None
    return action


def _check_literals(action: BaseAction, index: int, document: Document, problems: Problems) -> None:
    """Refuse `{field}` in a parameter that is not templated: it would be sent as written."""
    for name in type(action).model_fields:
        value = getattr(action, name)
        texts = value if isinstance(value, list | tuple) else (value,)
        for text in texts:
            is_template = isinstance(text, str) and _FIELD_TEMPLATE.search(text)
            if is_template and name not in action.templated_fields:
                templated = ", ".join(action.templated_fields)
                problems.add(
                    document.value_at(_RESPONSE, "actions", index, action.name, name),
                    Code.TEMPLATE,
                    f"{action.name} does not fill in templates in {name}",
                    text=text,
                    remedy="write the value itself"
                    + (f"; templates are allowed in {templated}" if templated else ""),
                )


def _check_templates(
    action: Action, index: int, group_by: tuple[str, ...], document: Document, problems: Problems
) -> None:
    for text in action.templates:
        place = document.value_at(_RESPONSE, "actions", index, action.name)
        names = TEMPLATE.findall(text)
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
                    "a template may only name fields of group-by: others could be empty",
                    text=text,
                    remedy=remedy,
                )

        _check_braces(text, place, problems)


def _check_texts(
    action: NotificationAction,
    index: int,
    group_by: tuple[str, ...],
    document: Document,
    problems: Problems,
) -> None:
    """Check the templates of a notification: each word must be known; its value may be empty."""
    known = (*group_by, *CASE_WORDS)
    for text in action.templates:
        place = document.value_at(_RESPONSE, "actions", index, action.name)
        for name in TEMPLATE.findall(text):
            if name not in known:
                remedy = f"add it to group-by if it is a field, or write one of {', '.join(known)}"
                problems.add(
                    place,
                    Code.TEMPLATE,
                    f"a notification has no field or word {{{name[:60]}}}",
                    text=text,
                    remedy=remedy,
                )

        _check_braces(text, place, problems)


def _check_braces(text: str, place: Place, problems: Problems) -> None:
    if "{" in (rest := TEMPLATE.sub("", text)) or "}" in rest:
        problems.add(
            place,
            Code.TEMPLATE,
            "unbalanced brace",
            text=text,
            remedy="write {field}",
        )


def _check_destination(
    action: Action, index: int, document: Document, problems: Problems, *, hard_delete: bool
) -> None:
    if action.is_hard_delete and not hard_delete:
        place = document.value_at(_RESPONSE, "actions", index, action.name, "destination")
        remedy = (
            "use RecoverableItemsDeletions, or set hard_delete: true in safety.yml (and name the "
            "rule in its allow.hard_delete)"
        )
        problems.add(
            place,
            Code.HARD_DELETE,
            "a hard delete is not permitted",
            text=Destination.PURGES,
            remedy=remedy,
        )
