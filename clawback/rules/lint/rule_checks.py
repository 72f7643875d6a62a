"""Checks of a single rule: mode, id, tests, and the fields of its test events."""

from collections.abc import Iterator
from typing import Any

from clawback.model.events import EventKind
from clawback.model.notations import parse_ip
from clawback.model.times import parse_time
from clawback.rules.source.condition import FieldReference, Text, leaves_of
from clawback.rules.source.documents import CorrelationDocument, RuleDocument
from clawback.rules.source.errors import Code, Place, Problems, Severity
from clawback.rules.source.field_catalogue import Field, FieldType, find_field
from clawback.rules.source.field_hints import field_remedy
from clawback.rules.source.loaded import LoadedRule
from clawback.rules.source.responses import DEFAULT_GROUP
from clawback.rules.source.suspicious_values import find_unknown_value
from clawback.rules.source.yaml_reader import Document, Table

_RESPONSE = "response"


def check_rule(rule: LoadedRule, problems: Problems, warnings: Problems) -> None:
    """Check one rule on its own."""
    if rule.read.response is not None:
        _check_mode(rule, problems)
        _check_id(rule, problems)
        _check_tests_exist(rule, problems)

    names = [test.name for test in rule.read.tests]
    for index, name in enumerate(names):
        if name in names[:index]:
            place = rule.document.value_at("tests", index, "name")
            problems.add(
                place,
                Code.DUPLICATE_NAME,
                "another test has this name",
                text=name,
                remedy="give each test its own name",
            )

    if rule.kind is not None:
        _check_rule_fields(rule, rule.kind, problems, warnings)


def _check_mode(rule: LoadedRule, problems: Problems) -> None:
    response = rule.read.response
    if rule.read.status is None:
        remedy = (
            "add status: experimental (at most shadow), test (at most approve) "
            "or stable (at most enforce)"
        )
        problems.add(
            rule.document.place,
            Code.MISSING_KEY,
            "a rule with a response needs a status",
            text=rule.read.name,
            remedy=remedy,
        )
    elif response is not None and response.mode.capped(rule.status.ceiling) is not response.mode:
        place = rule.document.value_at(_RESPONSE, "mode")
        remedy = f"a rule with status {rule.status} may at most {rule.status.ceiling}"
        problems.add(
            place,
            Code.MODE,
            "the mode is stronger than the status allows",
            text=response.mode,
            remedy=remedy,
        )


def _check_id(rule: LoadedRule, problems: Problems) -> None:
    if rule.read.id is None and isinstance(rule.read, RuleDocument):
        remedy = "add id: with a new UUID"
        problems.add(
            rule.document.place,
            Code.MISSING_KEY,
            "a rule with a response needs an id",
            text=rule.read.name,
            remedy=remedy,
        )


def _check_tests_exist(rule: LoadedRule, problems: Problems) -> None:
    positive, negative = _test_counts(rule.read)
    wanted = (
        ("match", "no match")
        if isinstance(rule.read, RuleDocument)
        else ("{fires: 1}", "{fires: 0}")
    )
    for count, what, expect in zip(
        (positive, negative), ("positive", "negative"), wanted, strict=True
    ):
        if not count:
            remedy = f"add one to tests: with expect: {expect}"
            problems.add(
                rule.document.key_at("tests"),
                Code.MISSING_TEST,
                f"there is no {what} test",
                text=rule.read.name,
                remedy=remedy,
            )


def _test_counts(read: RuleDocument | CorrelationDocument) -> tuple[int, int]:
    if isinstance(read, RuleDocument):
        positive = sum(test.expect == "match" for test in read.tests)
    else:
        positive = sum(test.expect.fires > 0 for test in read.tests)
    return positive, len(read.tests) - positive


# ---- fields


def _check_rule_fields(
    rule: LoadedRule, kind: EventKind, problems: Problems, warnings: Problems
) -> None:
    references = (
        [
            test.field
            for leaf in leaves_of(rule.tree)
            for test in leaf.tests
            if isinstance(test, FieldReference)
        ]
        if rule.tree
        else []
    )
    for name in references:
        if find_field(kind, name) is None:
            place = rule.document.key_at("detection")
            problems.add(
                place,
                Code.UNKNOWN_FIELD,
                f"a {kind} has no such field",
                text=name,
                remedy=field_remedy(kind, name),
            )

    for index in range(len(rule.read.tests)):
        check_record(rule.document, ("tests", index, "event"), kind, problems, warnings=warnings)


def check_record(  # noqa: PLR0913
    document: Document,
    path: tuple[str | int, ...],
    kind: EventKind,
    problems: Problems,
    *,
    warnings: Problems,
    extra: frozenset[str] = frozenset(),
) -> None:
    """Check that a test event has only `extra` keys and fields of its kind, as in the API.

    A value that an enum is not known to have is one of the `warnings`.
    """
    for place, parent, name, value in _named_values(document, path, _at(document.data, path), ""):
        if name in extra:
            continue

        if "." in (key := name.removeprefix(f"{parent}.")):
            head, _, tail = key.rpartition(".")
            message, remedy = (
                "a test event must be nested as in the API",
                f"write {head}: {{{tail}: …}}",
            )
            problems.add(place, Code.UNKNOWN_FIELD, message, text=key, remedy=remedy)
            continue

        known = find_field(kind, name)
        if known is None:
            problems.add(
                place,
                Code.UNKNOWN_FIELD,
                f"a {kind} has no such field",
                text=name,
                remedy=field_remedy(kind, name, is_nested=True),
            )
        elif known.is_derived:
            problems.add(
                place,
                Code.UNKNOWN_FIELD,
                "a test event has no derived fields",
                text=name,
                remedy=f"give {' and '.join(known.sources)}, from which it is derived",
            )
        elif (problem := _wrong_type(known, value)) is not None:
            problems.add(place, Code.FIELD_TYPE, problem, text=value)
        else:
            _warn_of_values(known, value, place, warnings)


def _warn_of_values(field: Field, value: Any, place: Place, warnings: Problems) -> None:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and (found := find_unknown_value(field, Text((one,)))) is not None:
            warnings.add(
                place,
                found.code,
                found.message,
                text=found.text,
                remedy=found.remedy,
                severity=Severity.WARNING,
            )


def _at(node: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        node = node[step]
    return node


def _named_values(
    document: Document, path: tuple[str | int, ...], node: Any, prefix: str
) -> Iterator[tuple[Place, str, str, Any]]:
    if isinstance(node, Table):
        for key, value in node.items():
            name = f"{prefix}.{key}" if prefix else key
            if isinstance(value, Table) or (
                isinstance(value, list) and any(isinstance(item, Table) for item in value)
            ):
                yield from _named_values(document, (*path, key), value, name)
            else:
                yield document.key_at(*path, key), prefix, name, value
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _named_values(document, (*path, index), item, prefix)


def _wrong_type(field: Field, value: Any) -> str | None:
    """Say why the API cannot send a value in a field; None if it can."""
    values = value if isinstance(value, list) else [value]
    if isinstance(value, list) and not field.many:
        return f"{field.name} has one value, not a list"
    if all(one is None or _is_of_type(field.type, one) for one in values):
        return None

    is_text = all(isinstance(one, str) for one in values)
    hint = _HINTS.get(field.type, "put it in quotes")
    is_quoted = field.type is FieldType.NUMBER and is_text
    return f"{field.name} is {field.type.noun}: {'write it without quotes' if is_quoted else hint}"


def _is_of_type(kind: FieldType, value: Any) -> bool:
    match kind:
        case FieldType.BOOLEAN:
            return isinstance(value, bool)
        case FieldType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case FieldType.TIME:
            return isinstance(value, str) and parse_time(value) is not None
        case FieldType.IP:
            return isinstance(value, str) and parse_ip(value) is not None
        case _:
            return kind is not FieldType.OBJECT and isinstance(value, str)


_HINTS = {
    FieldType.BOOLEAN: "write true or false",
    FieldType.NUMBER: "write a number",
    FieldType.TIME: "write one such as 2026-11-29T12:00:00Z",
    FieldType.IP: "write one such as 192.0.2.1",
    FieldType.OBJECT: "write a mapping of its fields",
}


# ---- groups


def group_by_of(rule: LoadedRule) -> tuple[str, ...] | None:
    """Give the fields that identify a case; those of the campaign by default."""
    if rule.read.response is None:
        return None
    if isinstance(rule.read, CorrelationDocument):
        return rule.read.correlation.group_by
    return rule.read.response.group_by or DEFAULT_GROUP[rule.read.logsource.category]
