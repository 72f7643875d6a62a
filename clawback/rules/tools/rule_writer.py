"""Writes rule documents as YAML, and makes tests for rules that come without any."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from clawback.rules.engine.ruleset import RuleSet
from clawback.rules.engine.sample_events import build_test_event, with_enrichments
from clawback.rules.tools.scaffold import quoted

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.|-]*")
_WORDS = frozenset({"y", "n", "no", "on", "off", "yes", "null", "true", "false"})
_STEP = "  "
_NEGATED = re.compile(r"\bnot\s+(?:(?:1|any|all)\s+of\s+)?\(?\s*([\w*]+)", re.IGNORECASE)
RESPONSE = {"mode": "shadow", "actions": [{"move": {"destination": "JunkEmail"}}]}
"""What an imported rule does if it is to respond: it records what it would move."""


def write_document(document: Mapping[str, Any]) -> str:
    """Write a document in block style."""
    return "\n".join(_mapping(document, "")) + "\n"


def _mapping(mapping: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        is_plain = _PLAIN_KEY.fullmatch(key) and key.casefold() not in _WORDS
        name = key if is_plain else quoted(key)
        if isinstance(value, Mapping | list) and value:
            yield f"{indent}{name}:"
            yield from _block(value, indent + _STEP)
        else:
            yield f"{indent}{name}: {_scalar(value)}"


def _block(value: Mapping[str, Any] | list[Any], indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _mapping(value, indent)
        return

    for one in value:
        if isinstance(one, Mapping | list) and one:
            first, *others = _block(one, indent + _STEP)
            yield f"{indent}- {first.lstrip()}"
            yield from others
        else:
            yield f"{indent}- {_scalar(one)}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    return "{}" if value == {} else "[]" if value == [] else str(value)


# ---- tests


def make_tests(rules: RuleSet, name: str, detection: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Make a positive and a negative test from the values that a detection asks for.

    Empty if no event made of them matches, as with regular expressions: people must write one.
    """
    condition = str(detection.get("condition", ""))
    negated = [re.compile(one.replace("*", ".*")) for one in _NEGATED.findall(condition)]
    event: dict[str, Any] = {}
    for selection, part in detection.items():
        if selection != "condition" and not any(one.fullmatch(selection) for one in negated):
            for key, value in _first(part).items():
                _put(event, key, value)

    if _outcome(rules, name, event) is not True or _outcome(rules, name, {}) is not False:
        return []
    return [
        {"name": "made from its values", "event": event, "expect": "match"},
        {"name": "nothing of it", "event": {}, "expect": "no match"},
    ]


def _outcome(rules: RuleSet, name: str, record: Mapping[str, Any]) -> bool | None:
    event = build_test_event(rules.rules[name].kinds[0], record, 1)
    outcomes = [tree.outcome for tree in rules.explain(name, with_enrichments(rules, event))]
    return outcomes[0] if outcomes else None


def _first(part: Any) -> Mapping[str, Any]:
    found = part[0] if isinstance(part, list) and part else part
    return found if isinstance(found, Mapping) else {}


def _put(event: dict[str, Any], key: str, value: Any) -> None:
    """Give a field a value that a condition on it holds for, as far as that is easy."""
    name, *modifiers = key.split("|")
    values = value if isinstance(value, list) else [value]
    if "all" in modifiers:
        texts = [" ".join(str(one).strip("*") for one in values)]
    else:
        texts = [_sample(values[0], modifiers)] if values else []
    if not texts:
        return

    *parents, last = name.split(".")
    node = event
    for parent in parents:
        below = node.setdefault(parent, [{}] if parent in {"links", "attachments"} else {})
        node = below[0] if isinstance(below, list) else below
    node[last] = texts[0]


def _sample(value: Any, modifiers: list[str]) -> Any:
    if "exists" in modifiers:
        return "x"
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return value + {"gt": 1, "lt": -1, "neq": 1}.get(modifiers[-1] if modifiers else "", 0)
    text = str(value)
    if "cidr" in modifiers:
        return text.partition("/")[0]
    return text.replace("*", "").replace("?", "x").replace("\\", "")
