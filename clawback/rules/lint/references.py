"""Checks between documents: unique names and ids, file names, references to rules and fields."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from clawback.correlation.shard import MOST_COUNTED
from clawback.model.durations import Written
from clawback.model.events import EventKind
from clawback.model.suggestions import did_you_mean
from clawback.rules.lint.rule_checks import check_record
from clawback.rules.source.correlations import Correlation, CorrelationGraph
from clawback.rules.source.errors import Code
from clawback.rules.source.field_catalogue import FieldType, find_field
from clawback.rules.source.field_hints import field_remedy
from clawback.rules.source.loaded import Loaded, LoadedFilter, LoadedRule
from clawback.rules.source.yaml_reader import Document

_RESPONSE = "response"
_CORRELATION = "correlation"
_KINDS = ", ".join(EventKind)
_AT = Written(allows_zero=True)
_NUMBERS = {
    EventKind.MESSAGE: "recipient_count",
    EventKind.PHISHGUARD_REPORT: "message.recipient_count",
    EventKind.SUBMISSION: "message.recipient_count",
}
_ARTICLES = {"name": "a name", "id": "an id"}


def check_set(loaded: Loaded) -> None:
    """Check all documents of a folder against each other."""
    checker = _Checker(loaded)
    checker.check_unique("name", Code.DUPLICATE_NAME)
    checker.check_unique("id", Code.DUPLICATE_ID)
    checker.check_file_names()
    checker.check_rules()
    checker.check_filters()


class _Checker:
    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._problems = loaded.problems
        self._rules = {rule.read.name: rule for rule in loaded.rules}
        self._by_id = {str(rule.read.id): rule.read.name for rule in loaded.rules if rule.read.id}

    @cached_property
    def _graph(self) -> CorrelationGraph:
        """The correlations by name and by id: others may name them by either."""
        named = {name: rule.correlation for name, rule in self._rules.items()}
        named |= {id_: named[name] for id_, name in self._by_id.items()}
        return CorrelationGraph({name: one for name, one in named.items() if one is not None})

    def check_unique(self, key: str, code: Code) -> None:
        """Check that no two documents have the same value of a key."""
        seen: dict[Any, Document] = {}
        items: list[LoadedRule | LoadedFilter] = [*self._loaded.rules, *self._loaded.filters]
        for item in items:
            value = getattr(item.read, key)
            first = seen.setdefault(value, item.document) if value is not None else item.document
            if first is not item.document:
                other = first.value_at(key)
                message = f"{other.file}:{other.line} has the same {key}"
                self._problems.add(
                    item.document.value_at(key),
                    code,
                    message,
                    text=value,
                    remedy=f"give it {_ARTICLES[key]} of its own",
                )

    def check_file_names(self) -> None:
        """Check that the file must be named after its rule with a response."""
        by_file: dict[str, list[LoadedRule]] = {}
        for rule in self._loaded.rules:
            if rule.read.response is not None:
                by_file.setdefault(rule.document.file, []).append(rule)

        for file, rules in by_file.items():
            names = [rule.read.name for rule in rules]
            if file.rpartition("/")[2].rpartition(".")[0] not in names:
                place = rules[0].document.value_at("name")
                remedy = f"rename the file to {names[0]}.yml"
                self._problems.add(
                    place,
                    Code.FILE_NAME,
                    "the file must be named after its rule with a response",
                    text=names[0],
                    remedy=remedy,
                )

    def check_filters(self) -> None:
        """Check that exceptions name existing rules."""
        for item in self._loaded.filters:
            for name in item.rules:
                self._find(name, item.document, "filter", "rules")

    def check_rules(self) -> None:
        """Check the group-by fields of rules, and the references of correlations."""
        for rule in self._loaded.rules:
            if rule.correlation is not None:
                self._check_is_used(rule)
                self._check_correlation(rule, rule.correlation)
            elif (
                rule.read.response is not None
                and rule.read.response.group_by
                and rule.kind is not None
            ):
                self._check_group(
                    rule.document, (_RESPONSE, "group-by"), rule.read.response.group_by, rule.kind
                )

    def _find(self, name: str, document: Document, *path: str) -> LoadedRule | None:
        found = self._rules.get(self._by_id.get(name, name))
        if found is None:
            remedy = did_you_mean(name, self._rules)
            self._problems.add(
                document.value_at(*path),
                Code.UNKNOWN_RULE,
                "there is no such rule",
                text=name,
                remedy=remedy,
            )

        return found

    def _check_group(
        self, document: Document, path: tuple[str, ...], names: Iterable[str], kind: EventKind
    ) -> None:
        for index, name in enumerate(names):
            field = find_field(kind, name)
            place = document.value_at(*path, index)
            if field is None:
                remedy = field_remedy(kind, name)
                self._problems.add(
                    place,
                    Code.UNKNOWN_FIELD,
                    f"a {kind} has no such field",
                    text=name,
                    remedy=remedy,
                )
            elif field.many or field.type is FieldType.OBJECT:
                remedy = "use a field with one value"
                self._problems.add(
                    place,
                    Code.GROUP,
                    f"{name} can have several values, but a case has one group",
                    text=name,
                    remedy=remedy,
                )
            elif field.enrichment:
                remedy = "use a field of the message itself"
                self._problems.add(
                    place,
                    Code.GROUP,
                    f"{name} comes from {field.enrichment.source}, which may not be known yet",
                    text=name,
                    remedy=remedy,
                )

    # ---- correlations

    def _check_is_used(self, rule: LoadedRule) -> None:
        """Check that a correlation without a response is part of another one."""
        others = (
            name
            for other in self._loaded.rules
            if other.correlation is not None
            for name in other.correlation.rules
        )
        if rule.read.response is None and rule.read.name not in {
            self._by_id.get(name, name) for name in others
        }:
            place = rule.document.key_at(_CORRELATION)
            message = "a correlation without a response, to which no other refers, has no effect"
            self._problems.add(
                place, Code.CORRELATION, message, text=rule.read.name, remedy="add response:"
            )

    def _check_correlation(self, rule: LoadedRule, correlation: Correlation) -> None:
        if rule.read.response is not None and rule.read.response.group_by is not None:
            place = rule.document.key_at(_RESPONSE, "group-by")
            remedy = "remove it: the group-by of the correlation defines the case"
            self._problems.add(
                place,
                Code.GROUP,
                "a correlation already has a group-by",
                text="group-by",
                remedy=remedy,
            )

        kinds: set[EventKind] = set()
        for name in correlation.rules:
            found = self._find(name, rule.document, _CORRELATION, "rules")
            if found is not None and found.correlation is not None:
                kinds |= self._check_inner(rule, correlation, found, found.correlation)
            elif found is not None and found.kind is not None:
                kinds.add(found.kind)
                self._check_fields(rule.document, correlation, name, found.kind)

        self._check_window_tests(rule, kinds)
        if self._kinds_below(rule, ()) is not None:
            self._check_size(rule, correlation)

    def _check_size(self, rule: LoadedRule, correlation: Correlation) -> None:
        """Check that a group has room for as many matches as the correlation needs."""
        needed = self._graph.window(correlation).least_entries
        if needed > MOST_COUNTED:
            self._problems.add(
                rule.document.value_at(_CORRELATION, "condition"),
                Code.CORRELATION,
                f"needs {needed} matches in one group, which may have room for {MOST_COUNTED} only",
                text=rule.read.name,
                remedy=f"lower the threshold until {MOST_COUNTED} matches are enough",
            )

    def _check_inner(
        self, rule: LoadedRule, outer: Correlation, inner_rule: LoadedRule, inner: Correlation
    ) -> set[EventKind]:
        """Check a reference to another correlation; give the kinds of events below it."""
        name, place = inner_rule.read.name, rule.document.value_at(_CORRELATION, "rules")
        below = self._kinds_below(inner_rule, (rule.read.name,))
        if below is None:
            self._problems.add(
                place,
                Code.CORRELATION,
                "correlations refer to each other in a cycle",
                text=name,
                remedy="remove one of the references",
            )
            return set()

        wanted = [outer.resolve_field(one, name) for one in outer.group_by]
        if outer.value_field is not None:
            wanted.append(outer.resolve_field(outer.value_field, name))

        for one in dict.fromkeys(wanted):
            if one not in inner.group_by:
                message = (
                    f"the events in one group of {name} may differ in {one}, "
                    f"which {rule.read.name} uses"
                )
                self._problems.add(
                    place,
                    Code.CORRELATION,
                    message,
                    text=name,
                    remedy=f"add {one} to the group-by of {name}",
                )

        return below

    def _kinds_below(self, rule: LoadedRule, above: tuple[str, ...]) -> set[EventKind] | None:
        """Give the kinds of events below a rule; None if there is a cycle."""
        if rule.read.name in above:
            return None
        if rule.correlation is None:
            return {rule.kind} if rule.kind is not None else set()

        kinds: set[EventKind] = set()
        for name in rule.correlation.rules:
            found = self._rules.get(self._by_id.get(name, name))
            below = (
                self._kinds_below(found, (*above, rule.read.name)) if found is not None else set()
            )
            if below is None:
                return None

            kinds |= below

        return kinds

    def _check_fields(
        self, document: Document, correlation: Correlation, reference: str, kind: EventKind
    ) -> None:
        for alias, fields in correlation.aliases.items():
            if reference not in fields:
                place = document.key_at(_CORRELATION, "aliases", alias)
                remedy = f"add the field of {reference} that it stands for"
                self._problems.add(
                    place,
                    Code.CORRELATION,
                    f"the alias does not cover {reference}",
                    text=alias,
                    remedy=remedy,
                )
            else:
                self._check_group(
                    document, (_CORRELATION, "aliases", alias, reference), [fields[reference]], kind
                )

        grouped = [name for name in correlation.group_by if name not in correlation.aliases]
        self._check_group(document, (_CORRELATION, "group-by"), grouped, kind)
        if (
            correlation.value_field is not None
            and correlation.value_field not in correlation.aliases
        ):
            self._check_counted(document, correlation, correlation.value_field, kind)

    def _check_counted(
        self, document: Document, correlation: Correlation, name: str, kind: EventKind
    ) -> None:
        """Check the field whose values are counted, which may have many, or added up."""
        path, field = (_CORRELATION, "condition", "field"), find_field(kind, name)
        is_number = field is not None and field.type is FieldType.NUMBER and not field.many
        if correlation.type.is_aggregate and field is not None and not is_number:
            self._problems.add(
                document.value_at(*path),
                Code.CORRELATION,
                f"{correlation.type} needs one number of each event; {name} is {field.type.noun}",
                text=name,
                remedy=f"use a field such as {_NUMBERS[kind]}",
            )
        elif field is None or not field.many or field.enrichment:
            self._check_group(document, path, [name], kind)

    def _check_window_tests(self, rule: LoadedRule, kinds: set[EventKind]) -> None:
        for index, test in enumerate(rule.read.tests):
            for position, event in enumerate(getattr(test, "events", ())):
                path = ("tests", index, "events", position)
                self._check_at(rule.document, path, event)
                kind = event.get("kind", next(iter(kinds)) if len(kinds) == 1 else None)
                if kind in set(EventKind):
                    check_record(
                        rule.document,
                        path,
                        EventKind(kind),
                        self._problems,
                        warnings=self._loaded.warnings,
                        extra=frozenset({"at", "kind"}),
                    )
                elif kinds:
                    place = rule.document.value_at(*path, "kind")
                    remedy = f"add kind: and one of {_KINDS}"
                    self._problems.add(
                        place,
                        Code.WRONG_VALUE,
                        "the event has no valid kind",
                        text=kind,
                        remedy=remedy,
                    )

    def _check_at(
        self, document: Document, path: tuple[str | int, ...], event: dict[str, Any]
    ) -> None:
        try:
            _AT.read(event["at"])
        except KeyError:
            remedy = "add at: and a duration since the first event, such as 0h"
            self._problems.add(
                document.value_at(*path), Code.MISSING_KEY, "the event has no time", remedy=remedy
            )
        except ValueError as error:
            self._problems.add(
                document.value_at(*path, "at"), Code.WRONG_VALUE, f"at: {error}", text=event["at"]
            )
