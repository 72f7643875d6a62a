"""Builds a rule set from loaded documents: adds exceptions to conditions, replaces ids by names."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from clawback.model.events import EventKind
from clawback.rules.engine.compiler import Today
from clawback.rules.engine.filter import Filter
from clawback.rules.engine.ruleset import Rule, RuleSet, digest
from clawback.rules.impersonation import names_of
from clawback.rules.source.condition import ExpiredAfter, Named, Node, join_and, join_or
from clawback.rules.source.correlations import Correlation
from clawback.rules.source.loaded import Loaded, LoadedFilter, LoadedRule
from clawback.rules.source.responses import Response
from clawback.rules.source.safety import Safety


def build_set(loaded: Loaded, today: Today) -> RuleSet:
    """Compile loaded documents, which must have no problems."""
    names = {str(rule.read.id): rule.read.name for rule in loaded.rules if rule.read.id}
    filters = tuple(_filter(item, names) for item in loaded.filters)
    built = {
        rule.read.name: _plain_rule(rule, filters, loaded.safety)
        for rule in loaded.rules
        if rule.correlation is None
    }
    waiting = {
        rule.read.name: (rule, rule.correlation)
        for rule in loaded.rules
        if rule.correlation is not None
    }

    while waiting:  # correlations below others are built first
        ready = [
            name
            for name, (_, one) in waiting.items()
            if not any(names.get(other, other) in waiting for other in one.rules)
        ]
        built |= {name: _correlation_rule(*waiting.pop(name), built, names) for name in ready}

    rules = {rule.read.name: built[rule.read.name] for rule in loaded.rules}
    built_set = RuleSet(rules, filters, dict(loaded.lists), loaded.safety, today)
    return built_set.with_people(names_of(loaded.people))


def _filter(item: LoadedFilter, names: Mapping[str, str]) -> Filter:
    read = item.read
    return Filter(
        name=read.name,
        title=read.title,
        owner=read.owner,
        expires=read.expires,
        kind=read.logsource.category,
        rules=tuple(names.get(rule, rule) for rule in item.rules),
        path=item.document.file,
        line=item.document.place.line,
        tree=item.tree,
    )


def _plain_rule(rule: LoadedRule, filters: tuple[Filter, ...], safety: Safety) -> Rule:
    if rule.tree is None or rule.kind is None:
        raise ValueError(f"{rule.read.name} has no condition")

    applied = [
        one
        for one in filters
        if one.kind is rule.kind and (not one.rules or rule.read.name in one.rules)
    ]
    tree = join_and([rule.tree, *(_exception(one) for one in applied)])
    built = _rule(rule, (rule.kind,))

    return replace(
        built,
        tree=tree,
        selections=rule.selections,
        exceptions=tuple(one.name for one in applied),
        version=digest(_content_of(rule), tree),
        condition_version=digest(tree, sorted(safety.ignored_delivery_modes)),
    )


def _exception(filter_: Filter) -> Node:
    applies = (
        filter_.tree
        if filter_.expires is None
        else join_or([ExpiredAfter(filter_.expires), filter_.tree])
    )
    return Named(f"exception {filter_.name}", applies)


def _correlation_rule(
    rule: LoadedRule, correlation: Correlation, built: Mapping[str, Rule], names: Mapping[str, str]
) -> Rule:
    references = tuple(names.get(one, one) for one in correlation.rules)
    aliases = {
        alias: {names.get(one, one): field for one, field in fields.items()}
        for alias, fields in correlation.aliases.items()
    }
    resolved = replace(correlation, rules=references, aliases=aliases)
    kinds: tuple[EventKind, ...] = tuple(
        dict.fromkeys(kind for one in references for kind in built[one].kinds)
    )

    return replace(
        _rule(rule, kinds),
        correlation=resolved,
        version=digest(_content_of(rule), *(built[one].version for one in references)),
        condition_version=digest(resolved, *(built[one].condition_version for one in references)),
    )


def _rule(rule: LoadedRule, kinds: tuple[EventKind, ...]) -> Rule:
    read = rule.read
    return Rule(
        name=read.name,
        title=read.title,
        status=rule.status,
        level=read.level,
        version="",
        actions_version=_actions_version(rule.response),
        condition_version="",
        kinds=kinds,
        path=rule.document.file,
        line=rule.document.place.line,
        id=read.id,
        description=read.description or "",
        author=read.author or "",
        tags=read.tags,
        references=read.references,
        falsepositives=read.falsepositives,
        response=rule.response,
        tests=read.tests,
        test_lines=tuple(
            rule.document.value_at("tests", index).line for index in range(len(read.tests))
        ),
    )


def _actions_version(response: Response | None) -> str:
    """The hash of the actions and the grouping; empty for a building block."""
    if response is None:
        return ""
    actions = [action.model_dump_json() for action in response.actions]
    while_held = response.while_held.model_dump_json() if response.while_held else ""
    return digest(actions, response.group_by, while_held)


def _content_of(rule: LoadedRule) -> str:
    # Tests do not change what a rule does, and so not its version.
    data: dict[str, Any] = {
        key: value for key, value in rule.document.data.items() if key != "tests"
    }
    return json.dumps(data, sort_keys=True, ensure_ascii=False, default=str)
