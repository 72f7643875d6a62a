"""The rules of the benchmark for the engine of ansible-rulebook, which is Drools on a Java machine.

It takes part after `pip install ansible-rulebook`, where a Java runtime is installed. Its own
converter turns the text of a condition into a tree; we write the same tree. The names of the nodes
are those of `ansible_rulebook.json_generator`.
"""

import importlib
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.rulesets import COLUMNS, Condition, Part, view_of

NAME = "ansible-rulebook"
Matches = list[list[int]]
_SILENT = "defaultLogLevel=off"


@dataclass(frozen=True)
class _Tree:
    """A condition as JSON; `&`, `|` and `~` have the precedence of and, or and not."""

    node: dict[str, Any]

    def __and__(self, other: "_Tree") -> "_Tree":
        return _Tree({"AndExpression": {"lhs": self.node, "rhs": other.node}})

    def __or__(self, other: "_Tree") -> "_Tree":
        return _Tree({"OrExpression": {"lhs": self.node, "rhs": other.node}})

    def __invert__(self) -> "_Tree":
        return _Tree({"NegateExpression": self.node})


def build(conditions: Sequence[Condition]) -> Callable[[Sequence[bytes]], Matches]:
    """Build a rule set in a Java machine; each event crosses over as JSON of its flat view."""
    os.environ.setdefault("DROOLS_JPY_JVM_LOG", _SILENT)
    if (java := shutil.which("java")) is not None:
        os.environ.setdefault("JAVA_HOME", str(Path(java).resolve().parents[1]))
    engine: Any = importlib.import_module("drools.ruleset").RulesetCollection.api()
    session = engine.createRuleset(json.dumps(_ruleset(conditions)))

    def run(page: Sequence[bytes]) -> Matches:
        found = []
        for line in page:
            answer = engine.assertEvent(session, json.dumps(view_of(orjson.loads(line))))
            found.append(sorted(_numbers(json.loads(answer) if answer else [])))
        return found

    return run


def has_java() -> bool:
    """Whether there is a Java runtime to run it on."""
    return "JAVA_HOME" in os.environ or shutil.which("java") is not None


def _numbers(matches: Sequence[dict[str, Any]]) -> set[int]:
    return {int(match.get("name") or next(iter(match))) for match in matches}


def _ruleset(conditions: Sequence[Condition]) -> dict[str, Any]:
    rules = [
        {
            "Rule": {
                "name": str(number),
                "condition": {"AllCondition": [_tree(condition).node]},
                "actions": [{"Action": {"action": "debug", "action_args": {}}}],
                "enabled": True,
            }
        }
        for number, condition in enumerate(conditions)
    ]
    return {"name": "bench", "match_multiple_rules": True, "sources": [], "rules": rules}


def _tree(condition: Condition) -> _Tree:
    selections = {
        name: _all([_test(part) for part in parts]) for name, parts in condition.selections.items()
    }
    operators = {"and": "&", "or": "|", "not": "~"}
    text = re.sub(r"\w+", lambda word: operators.get(word[0], word[0]), condition.text)
    tree: _Tree = eval(text, {}, selections)  # noqa: S307 - the benchmark's own conditions
    return tree


def _all(trees: Sequence[_Tree]) -> _Tree:
    first, *others = trees
    for one in others:
        first = first & one
    return first


def _test(part: Part) -> _Tree:
    column = COLUMNS[part.field]
    field = {"Event": column.view}
    if part.how == "gte":
        return _select(field, ">=", {"Float": float(part.values[0])})
    if part.how == "exists":
        return _Tree({"NotEqualsExpression": {"lhs": field, "rhs": {"String": ""}}})
    if part.how == "flag":
        return _Tree({"EqualsExpression": {"lhs": field, "rhs": {"Boolean": True}}})
    if part.how == "is" and not column.many:
        values = [{"String": value} for value in part.values]
        return _Tree({"ItemInListExpression": {"lhs": field, "rhs": values}})

    pattern = "|".join(f"(?:{_pattern(part.how, value)})" for value in part.values)
    if column.many:
        return _select(field, "regex", {"String": pattern})
    search = {"SearchType": {"kind": {"String": "regex"}, "pattern": {"String": pattern}}}
    return _Tree({"SearchMatchesExpression": {"lhs": field, "rhs": search}})


def _select(field: dict[str, Any], operator: str, value: dict[str, Any]) -> _Tree:
    how = {"operator": {"String": operator}, "value": value}
    return _Tree({"SelectExpression": {"lhs": field, "rhs": how}})


def _pattern(how: str, value: str) -> str:
    """Give a Java regular expression over folded text; a line break is a character like others."""
    if how == "re":
        return value
    literal = ".*".join(map(re.escape, value.split("*") if how == "wildcard" else [value]))
    start = r"\A" if how in {"is", "startswith", "wildcard"} else ""
    end = r"\z" if how in {"is", "endswith", "wildcard"} else ""
    return f"(?s){start}{literal}{end}"
