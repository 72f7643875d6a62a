"""What must hold of rules beyond their shape: modes, tests, ids and names, groups, references between documents and to fields."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clawback.events import EventKind
from clawback.rules.catalogue import FIELDS, Field, FieldType
from clawback.rules.documents import CorrelationDocument, RuleDocument
from clawback.rules.errors import Code, Problems, did_you_mean
from clawback.rules.fields import field_remedy, find_field
from clawback.rules.loaded import Loaded, LoadedFilter, LoadedRule
from clawback.rules.responses import DEFAULT_GROUP
from clawback.rules.source import Document, Table
from clawback.rules.tree import SameAs, leaves_of

_RESPONSE = "response"


def check_rule(rule: LoadedRule, problems: Problems) -> None:
    """Check one rule by itself."""
    if rule.read.response is not None:
        _check_mode(rule, problems)
        _check_id(rule, problems)
        _check_tests_exist(rule, problems)
    elif rule.correlation is not None:
        place = rule.document.key_at("correlation")
        problems.add(place, Code.CORRELATION, "a correlation without a response does nothing", text=rule.read.name, remedy="add response:")
    names = [test.name for test in rule.read.tests]
    for index, name in enumerate(names):
        if name in names[:index]:
            place = rule.document.value_at("tests", index, "name")
            problems.add(place, Code.DUPLICATE_NAME, "another test has this name", text=name, remedy="name it after what it shows")
    if rule.kind is not None:
        _check_rule_fields(rule, rule.kind, problems)


def _check_mode(rule: LoadedRule, problems: Problems) -> None:
    response = rule.read.response
    if rule.read.status is None and isinstance(rule.read, RuleDocument):
        remedy = "add status: experimental (may shadow), test (may approve) or stable (may enforce)"
        problems.add(rule.document.place, Code.MISSING_KEY, "a rule that responds has a status", text=rule.read.name, remedy=remedy)
    elif response is not None and response.mode.capped(rule.status.ceiling) is not response.mode:
        place = rule.document.value_at(_RESPONSE, "mode")
        remedy = f"a rule of status {rule.status} may at most {rule.status.ceiling}"
        problems.add(place, Code.MODE, "the mode is above the status", text=response.mode, remedy=remedy)


def _check_id(rule: LoadedRule, problems: Problems) -> None:
    if rule.read.id is None and isinstance(rule.read, RuleDocument):
        remedy = "add id: and a new UUID, never one that was used before"
        problems.add(rule.document.place, Code.MISSING_KEY, "a rule that responds has an id", text=rule.read.name, remedy=remedy)


def _check_tests_exist(rule: LoadedRule, problems: Problems) -> None:
    positive, negative = _test_counts(rule.read)
    plain = isinstance(rule.read, RuleDocument)
    for count, what, expect in (
        (positive, "positive", "match" if plain else "{fires: 1}"),
        (negative, "negative", "no match" if plain else "{fires: 0}"),
    ):
        if not count:
            place = rule.document.key_at("tests")
            remedy = f"add one to tests: with expect: {expect}"
            problems.add(place, Code.MISSING_TEST, f"there is no {what} test", text=rule.read.name, remedy=remedy)


def _test_counts(read: RuleDocument | CorrelationDocument) -> tuple[int, int]:
    if isinstance(read, RuleDocument):
        positive = sum(test.expect == "match" for test in read.tests)
    else:
        positive = sum(test.expect.fires > 0 for test in read.tests)
    return positive, len(read.tests) - positive


# ---- fields


def _check_rule_fields(rule: LoadedRule, kind: EventKind, problems: Problems) -> None:
    for leaf in leaves_of(rule.tree) if rule.tree else ():
        for test in leaf.tests:
            if isinstance(test, SameAs) and find_field(kind, test.field) is None:
                place = rule.document.key_at("detection")
                remedy = field_remedy(kind, test.field)
                problems.add(place, Code.UNKNOWN_FIELD, f"a {kind} has no such field", text=test.field, remedy=remedy)
    for index, test in enumerate(rule.read.tests):
        if hasattr(test, "event"):
            check_record(rule.document, ("tests", index, "event"), test.event, kind, problems)


def check_record(document: Document, path: tuple[str | int, ...], record: Mapping[str, Any], kind: EventKind, problems: Problems) -> None:
    """Check that a test event has only fields of its kind, in the shape the API gives them."""
    for place, name, value in _named_values(document, path, record, ""):
        known = find_field(kind, name)
        if known is None:
            problems.add(place, Code.UNKNOWN_FIELD, f"a {kind} has no such field", text=name, remedy=field_remedy(kind, name))
        elif (problem := _wrong_type(known, value)) is not None:
            problems.add(place, Code.FIELD_TYPE, problem, text=value)


def _named_values(document: Document, path: tuple[str | int, ...], node: Any, prefix: str) -> Iterator[tuple[Any, str, Any]]:
    if isinstance(node, Table):
        for key, value in node.items():
            name = f"{prefix}.{key}" if prefix else key
            if isinstance(value, Table) or (isinstance(value, list) and any(isinstance(item, Table) for item in value)):
                yield from _named_values(document, (*path, key), value, name)
            else:
                yield document.key_at(*path, key), name, value
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _named_values(document, (*path, index), item, prefix)


def _wrong_type(field: Field, value: Any) -> str | None:
    values = value if isinstance(value, list) else [value]
    for one in values:
        boolean, number = isinstance(one, bool), isinstance(one, int | float) and not isinstance(one, bool)
        wanted = {FieldType.BOOLEAN: boolean, FieldType.NUMBER: number, FieldType.OBJECT: False}.get(field.type, isinstance(one, str))
        if one is not None and not wanted:
            return f"{field.name} is a {field.type}"
    return None


# ---- groups


def group_of(rule: LoadedRule) -> tuple[str, ...] | None:
    """Give the fields that share a case: of a correlation its group-by; else the response's, or the campaign's."""
    if rule.read.response is None:
        return None
    if isinstance(rule.read, CorrelationDocument):
        return rule.read.correlation.group_by
    return rule.read.response.group_by or DEFAULT_GROUP[rule.read.logsource.category]


def _check_group(document: Document, path: tuple[str, ...], names: Iterable[str], kind: EventKind, problems: Problems) -> None:
    for index, name in enumerate(names):
        field = find_field(kind, name)
        place = document.value_at(*path, index)
        if field is None:
            problems.add(place, Code.UNKNOWN_FIELD, f"a {kind} has no such field", text=name, remedy=field_remedy(kind, name))
        elif field.many or field.type is FieldType.OBJECT:
            remedy = "group by a field with one value"
            problems.add(place, Code.GROUP, f"{name} can have several values: a case has one group", text=name, remedy=remedy)
        elif field.enrichment:
            remedy = "group by a field of the message itself"
            problems.add(place, Code.GROUP, f"{name} comes from enrichment and may not be known yet", text=name, remedy=remedy)


# ---- the set


def check_names(loaded: Loaded) -> None:
    """Check that names and ids are used once, and that a file is named after the rule that responds."""
    names: dict[str, Document] = {}
    ids: dict[object, Document] = {}
    items: list[LoadedRule | LoadedFilter] = [*loaded.rules, *loaded.filters]
    for item in items:
        _check_once(names, item.read.name, item.document, Code.DUPLICATE_NAME, "name", loaded.problems)
        if item.read.id is not None:
            _check_once(ids, item.read.id, item.document, Code.DUPLICATE_ID, "id", loaded.problems)
    _check_file_names(loaded)


def _check_once(seen: dict[Any, Document], value: Any, document: Document, code: Code, key: str, problems: Problems) -> None:
    first = seen.setdefault(value, document)
    if first is not document:
        other = first.value_at(key)
        problems.add(
            document.value_at(key), code, f"{other.file}:{other.line} has the same {key}", text=value, remedy=f"give it a {key} of its own"
        )


def _check_file_names(loaded: Loaded) -> None:
    by_file: dict[str, list[LoadedRule]] = {}
    for rule in loaded.rules:
        if rule.read.response is not None:
            by_file.setdefault(rule.document.file, []).append(rule)
    for file, rules in by_file.items():
        stem = file.rpartition("/")[2].rpartition(".")[0]
        names = [rule.read.name for rule in rules]
        if stem not in names:
            place = rules[0].document.value_at("name")
            remedy = f"rename the file to {names[0]}.yml"
            loaded.problems.add(place, Code.FILE_NAME, "a file is named after its rule that responds", text=names[0], remedy=remedy)


def check_references(loaded: Loaded) -> None:
    """Check what documents say of each other: the rules of correlations and filters, and the fields that depend on them."""
    rules = {rule.read.name: rule for rule in loaded.rules}
    by_id = {str(rule.read.id): rule.read.name for rule in loaded.rules if rule.read.id}
    for rule in loaded.rules:
        if rule.correlation is not None:
            _check_correlation(rule, rules, by_id, loaded.problems)
        elif rule.read.response is not None and rule.read.response.group_by and rule.kind is not None:
            _check_group(rule.document, (_RESPONSE, "group-by"), rule.read.response.group_by, rule.kind, loaded.problems)
    for item in loaded.filters:
        for name in item.rules:
            _find(name, rules, by_id, item.document, ("filter", "rules"), loaded.problems)


def _find(
    name: str, rules: Mapping[str, LoadedRule], by_id: Mapping[str, str], document: Document, path: tuple[str, ...], problems: Problems
) -> LoadedRule | None:
    found = rules.get(by_id.get(name, name))
    if found is None:
        problems.add(document.value_at(*path), Code.UNKNOWN_RULE, "there is no such rule", text=name, remedy=did_you_mean(name, rules))
    return found


def _check_correlation(rule: LoadedRule, rules: Mapping[str, LoadedRule], by_id: Mapping[str, str], problems: Problems) -> None:
    correlation = rule.correlation
    if correlation is None:
        return
    if rule.read.response is not None and rule.read.response.group_by is not None:
        remedy = "leave it out: the group-by of the correlation makes the case"
        problems.add(
            rule.document.key_at(_RESPONSE, "group-by"), Code.GROUP, "a correlation already has a group-by", text="group-by", remedy=remedy
        )
    for name in correlation.rules:
        found = _find(name, rules, by_id, rule.document, ("correlation", "rules"), problems)
        if found is not None and found.kind is None:
            remedy = "refer to the rules that it is made of"
            place = rule.document.value_at("correlation", "rules")
            problems.add(place, Code.CORRELATION, "chains of correlations are not supported", text=name, remedy=remedy)
        elif found is not None and found.kind is not None:
            _check_correlation_fields(rule, found.read.name, found.kind, name, problems)
    _check_window_events(rule, rules, by_id, problems)


def _check_correlation_fields(rule: LoadedRule, name: str, kind: EventKind, reference: str, problems: Problems) -> None:
    correlation = rule.correlation
    if correlation is None:
        return
    for alias, fields in correlation.aliases.items():
        if reference not in fields:
            remedy = f"say which field of {name} it stands for"
            problems.add(
                rule.document.key_at("correlation", "aliases", alias),
                Code.CORRELATION,
                f"the alias leaves {name} out",
                text=alias,
                remedy=remedy,
            )
        else:
            _check_group(rule.document, ("correlation", "aliases", alias), [fields[reference]], kind, problems)
    asked = [*correlation.group_by, *([correlation.value_field] if correlation.value_field else [])]
    _check_group(rule.document, ("correlation", "group-by"), [one for one in asked if one not in correlation.aliases], kind, problems)


def _check_window_events(rule: LoadedRule, rules: Mapping[str, LoadedRule], by_id: Mapping[str, str], problems: Problems) -> None:
    kinds = {found.kind for name in (rule.correlation.rules if rule.correlation else ()) if (found := rules.get(by_id.get(name, name)))}
    for index, test in enumerate(rule.read.tests):
        for position, event in enumerate(getattr(test, "events", ())):
            kind = event.get("kind") or (next(iter(kinds)) if len(kinds) == 1 else None)
            if kind in FIELDS:
                record = {key: value for key, value in event.items() if key not in {"at", "kind"}}
                _check_event(rule, ("tests", index, "events", position), record, EventKind(kind), problems)


def _check_event(rule: LoadedRule, path: tuple[str | int, ...], record: Mapping[str, Any], kind: EventKind, problems: Problems) -> None:
    for key, value in record.items():
        for place, name, one in (
            _named_values(rule.document, (*path, key), value, key)
            if isinstance(value, Table)
            else [(rule.document.key_at(*path, key), key, value)]
        ):
            known = find_field(kind, name)
            if known is None:
                problems.add(place, Code.UNKNOWN_FIELD, f"a {kind} has no such field", text=name, remedy=field_remedy(kind, name))
            elif (problem := _wrong_type(known, one)) is not None:
                problems.add(place, Code.FIELD_TYPE, problem, text=one)
