"""Generates the tables of docs/rules/ from the code: fields, modifiers, actions, errors, commands.

The error messages are real: they come from loading the broken files of
tests/rules/test_problems.py and the ones below.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sigma.modifiers import modifier_mapping

from clawback.actions import ACTIONS, CASE_WORDS, ContainmentAction, Scope, schema_of
from clawback.cli.program import load
from clawback.model.durations import format_duration
from clawback.model.events import SOURCES, Enrichment, EventKind
from clawback.rules.lint.pure_sigma import find_own_sigma
from clawback.rules.lint.review import review_rules
from clawback.rules.loader import read_folder
from clawback.rules.source.documents import Status
from clawback.rules.source.errors import Code, Problem
from clawback.rules.source.field_catalogue import FIELDS, RENAMED, Field
from clawback.rules.source.own_modifiers import OWN_MODIFIERS
from clawback.rules.source.responses import DEFAULT_GROUP
from docs.tables import Tables, first_paragraph, table_cell, table_head, table_row
from tests.rules.folders import PLAIN, TODAY, block, write
from tests.rules.test_problems import BLOCK, CASES, CORRELATION, COUNT

MODIFIERS: dict[str, tuple[str, str]] = {
    "contains": ("the value contains the string", "subject|contains: invoice"),
    "startswith": ("the value starts with the string", "final_disposition|startswith: MALICIOUS"),
    "endswith": ("the value ends with the string", "from|endswith: '@x.test'"),
    "all": (
        "all values of the list match, not just one",
        "subject|contains|all: [invoice, overdue]",
    ),
    "cased": ("case-sensitive", "subject|contains|cased: URGENT"),
    "neq": ("not equal; also true if the field has no value", "delivery_mode|neq: API"),
    "exists": (
        "the field has a value (`true`) or none (`false`); null and `[]` count as none",
        "replyto|exists: true",
    ),
    "re": (
        "an RE2 regular expression, found anywhere in the value; case-sensitive; in any script",
        "subject|re: '^Invoice [0-9]+$'",
    ),
    "i": ("after `re`: case-insensitive", "subject|re|i: '\\bwire transfer\\b'"),
    "ignorecase": ("same as `i`", "subject|re|ignorecase: urgent"),
    "m": (
        "after `re`: `^` and `$` also match at line breaks",
        "detections.headers.value|re|m: '^by mx'",
    ),
    "multiline": ("same as `m`", "detections.headers.value|re|multiline: '^by mx'"),
    "s": ("after `re`: `.` also matches a line break", "detections.headers.value|re|s: 'from.*by'"),
    "dotall": ("same as `s`", "detections.headers.value|re|dotall: 'from.*by'"),
    "cidr": (
        "the IPv4 or IPv6 address is in the network",
        "smtp_previous_hop_ip|cidr: 192.0.2.0/24",
    ),
    "gt": ("greater than the number", "detections.attachments.size|gt: 1000000"),
    "gte": ("greater than or equal to the number", "detections.findings.score|gte: 0.9"),
    "lt": ("less than the number", "detections.attachments.size|lt: 100"),
    "lte": ("less than or equal to the number", "detections.findings.score|lte: 0.5"),
    "fieldref": (
        "equals another field of the event; combine with `startswith`, `endswith`, `contains`",
        "replyto|fieldref: from",
    ),
    "expand": (
        "`%name%` expands to each value of `lists/name.yml`",
        "from|expand|endswith: '@%own_domains%'",
    ),
    "confusable": (
        "looks like the string, in any script; combine with `contains`, `startswith`, `endswith`",
        "from_name|confusable|contains: PayPal",
    ),
    "lookalike": (
        "a domain that imitates one of these and is none of them",
        "from_domain|lookalike: [paypal.com, docusign.net]",
    ),
    "minute": ("the minute of a time, in UTC", "scanned_at|minute: 30"),
    "hour": ("the hour of a time, in UTC", "scanned_at|hour: [0, 1, 2, 3]"),
    "day": ("the day of the month, in UTC", "scanned_at|day: 1"),
    "week": ("the ISO week, in UTC", "scanned_at|week: 52"),
    "month": ("the month, in UTC", "scanned_at|month: 12"),
    "year": ("the year, in UTC", "scanned_at|year: 2026"),
    "base64": ("the string, base64-encoded", "detections.headers.value|base64: hello"),
    "base64offset": (
        "the string, base64-encoded at each of its three possible offsets; combine with `contains`",
        "detections.links.href|base64offset|contains: '@x.test'",
    ),
    "wide": (
        "the string as UTF-16 little-endian; before `base64` or `base64offset`",
        "detections.links.href|wide|base64offset|contains: user",
    ),
    "utf16": (
        "the string as UTF-16 with a byte order mark; before `base64` or `base64offset`",
        "detections.headers.value|utf16|base64: user",
    ),
    "utf16be": (
        "the string as UTF-16 big-endian; before `base64` or `base64offset`",
        "detections.headers.value|utf16be|base64: user",
    ),
    "windash": (
        "a dash also matches the other dash characters and the slash",
        "subject|windash|contains: ' -run'",
    ),
}
"""Every modifier that pySigma parses, and ours: its meaning, and an example that loads."""

REFUSED: tuple[tuple[str, str], ...] = (
    (
        "subject|re|contains: pay",
        "a regular expression is already found anywhere; anchor it with `^` and `$`",
    ),
    (
        "subject|re: '(?=pay)'",
        "RE2 has no look-around or back-references: every pattern runs in linear time",
    ),
    ("subject|re|cased: pay", "a regular expression is already case-sensitive; `i` turns that off"),
    (
        "subject|expand|base64: '%own_domains%'",
        "list values are not known when the string is encoded; write them out",
    ),
    ("subject|i: pay", "the flag works only after `re`"),
    ("subject|gt: 5", "a string is not a number"),
    (
        "scanned_at|gt: 5",
        "a time is not a number; match a part of it, such as `hour`, or use a correlation",
    ),
    ("subject|lookup: pay", "pySigma has no such modifier"),
)
"""What Sigma or other backends allow and clawback refuses: an example, and the reason."""

_REMEDIES = {
    Code.WRONG_VALUE: "write a value that the message allows",
    Code.FIELD_TYPE: "write a value that the field can have, or use another field",
    Code.ACTION: "write one of the allowed values",
    Code.CORRELATION: "write a number and a unit: s, m, h or d",
}
"""The remedy for messages that carry none of their own."""
_LISTS = {"lists/own_domains.yml": "values: [x.test]\n"}
_NOT_SIGMA = {
    "x.yml": block(
        "sel: {from_domain|lookalike: x.test, history.messages: 0, detections.links: {text: a}}\n"
        "condition: sel"
    ),
    "a_rule.yml": PLAIN,
}
_MORE: dict[str, dict[str, str]] = {
    "not Sigma": _NOT_SIGMA,
    "empty": {"lists/x.txt": "a\n"},
    "unused": {"x.yml": block("sel: {subject: a}\nother: {subject: b}\ncondition: sel")},
    "never": {
        "x.yml": block(
            "sel: {final_disposition: SPAM}\nother: {final_disposition: BULK}\n"
            "condition: sel and other"
        )
    },
    "shadowed": {
        "a_rule.yml": PLAIN,
        "b_rule.yml": PLAIN.replace("a_rule", "b_rule")
        .replace("6f1c3a52", "7f1c3a52")
        .replace("sel: {from: a@x.test}", "sel: {from: a@x.test, subject: a}"),
    },
    "contradictory": {
        "a_rule.yml": PLAIN,
        "b_rule.yml": PLAIN.replace("a_rule", "b_rule")
        .replace("6f1c3a52", "7f1c3a52")
        .replace("JunkEmail", "Inbox"),
    },
    "suspicious": {"x.yml": block("sel: {subject: '%vips%'}\ncondition: sel")},
    "new value": {"x.yml": block("sel: {final_disposition: EVIL}\ncondition: sel")},
    "forgeable": {
        "a_rule.yml": PLAIN.replace(
            "  mode: enforce\n", "  mode: enforce\n  group-by: [from]\n"
        ).replace(
            "- move: {destination: JunkEmail}",
            "- block_sender: {pattern: '{from}', kind: email, expires_after: 7d}",
        ),
    },
    "no group": {
        "a.yml": BLOCK,
        "many.yml": CORRELATION.format(body=COUNT.replace("[from]", "[edf_hash]")),
    },
    "ended": {
        "exceptions/x.yml": "owner: me\nexpires: 2026-01-31\n"
        + block("sel: {from: a@x.test}\ncondition: not sel").replace(
            "detection:", "filter:\n  rules: any"
        )
    },
    "not allowed": {"a_rule.yml": PLAIN, "safety.yml": "allow: {stable: []}\n"},
    "no safety": {"a_rule.yml": PLAIN, "safety.yml": ""},
    "too large": {"x.yml": "title: " + "x" * (1 << 20)},
}


# ---- fields


def _fields(kind: EventKind, enrichment: Enrichment | None = None) -> Iterator[str]:
    yield from table_head("Field", "Type", "Description")
    for field in FIELDS[kind].values():
        is_joined = SOURCES[kind].is_joined and field.name.startswith("message.")
        has_own_table = field.is_derived and kind is EventKind.MESSAGE
        if field.enrichment is enrichment and not is_joined and not has_own_table:
            yield table_row(
                f"`{field.name}`", _field_type(field), f"{field.description}{_values(field)}"
            )


def _derived() -> Iterator[str]:
    yield from table_head("Field", "Type", "Derived from", "Description")
    for field in FIELDS[EventKind.MESSAGE].values():
        if field.is_derived:
            sources = ", ".join(f"`{source}`" for source in field.sources)
            yield table_row(f"`{field.name}`", _field_type(field), sources, field.description)


def _field_type(field: Field) -> str:
    return f"{field.type}, multiple" if field.many else field.type


def _values(field: Field) -> str:
    listed = ", ".join(f"`{value}`" for value in field.values or field.seen)
    if not listed:
        return ""
    return f": {listed}" if field.values else f"; known so far: {listed}"


def _renamed() -> Iterator[str]:
    yield from table_head("Former name", "Current name")
    for old, new in RENAMED.items():
        yield table_row(f"`{old}`", _quote_names(new))


def _quote_names(text: str) -> str:
    """Put field names in code quotes: `a (b on a report)` names two."""
    return re.sub(r"[a-z_]+(?:[._][a-z_]+)+", r"`\g<0>`", text)


# ---- language


def _modifiers() -> Iterator[str]:
    yield from table_head("Modifier", "Matches if", "Example")
    for name, (meaning, example) in MODIFIERS.items():
        yield table_row(f"`{name}`", meaning, f"`{table_cell(example)}`")


def _refused() -> Iterator[str]:
    yield from table_head("Refused", "Reason", "Error message")
    for example, reason in REFUSED:
        (problem,) = problems_of({**_LISTS, "x.yml": block(f"sel: {{{example}}}\ncondition: sel")})
        yield table_row(f"`{table_cell(example)}`", reason, table_cell(problem.message))


def _actions() -> Iterator[str]:
    yield from table_head("Action", "Applies to", "Effect", "Undo", "After a lost response")
    for name, model in ACTIONS.items():
        containment = model if issubclass(model, ContainmentAction) else None
        yield table_row(
            f"`{name}`",
            "the case, once" if model.scope is Scope.CASE else "each message",
            table_cell(" ".join((model.__doc__ or "").split())),
            table_cell(containment.inverse) if containment else "None.",
            table_cell(containment.lost_response) if containment else "It may be delivered twice.",
        )


def _action_parameters() -> Iterator[str]:
    yield from table_head("Action", "Parameter", "Type", "Description")
    for name in ACTIONS:
        schema = schema_of(name)
        for parameter, about in schema["properties"].items():
            accepts = _parameter_type(about, schema)
            if parameter not in schema.get("required", ()):
                accepts += f", default {_default(ACTIONS[name].model_fields[parameter].default)}"
            yield table_row(
                f"`{name}`",
                f"`{parameter}`",
                table_cell(accepts),
                table_cell(about.get("description", "")),
            )


def _placeholders() -> Iterator[str]:
    yield from table_head("Placeholder", "Value")
    yield from (table_row(f"`{{{word}}}`", meaning) for word, meaning in CASE_WORDS.items())


def _parameter_type(about: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if (reference := about.get("$ref")) is not None:
        return _parameter_type(schema["$defs"][reference.rpartition("/")[2]], schema)
    if "enum" in about:
        return ", ".join(f"`{value}`" for value in about["enum"])
    if "anyOf" in about:
        branches = (one for one in about["anyOf"] if one.get("type") != "null")
        return " or ".join(dict.fromkeys(_parameter_type(one, schema) for one in branches))
    return {"array": "list"}.get(about.get("type", "any"), str(about.get("type", "any")))


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_default, value))
    if isinstance(value, timedelta):
        return f"`{format_duration(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value else "none"


def _modes() -> Iterator[str]:
    yield from table_head("Status", "Strongest mode", "Effect of that mode")
    effects = {
        "shadow": "records what it would have done",
        "approve": "holds the case until somebody approves or denies it",
        "enforce": "acts immediately",
    }
    for status in Status:
        yield table_row(f"`{status}`", f"`{status.ceiling}`", effects[status.ceiling])


def _groups() -> Iterator[str]:
    yield from table_head("Category", "Default `group-by`")
    for kind, fields in DEFAULT_GROUP.items():
        yield table_row(f"`{kind}`", ", ".join(f"`{field}`" for field in fields))


# ---- errors


def problems_of(files: dict[str, str]) -> tuple[Problem, ...]:
    """Return every problem that `clawback rules check` finds in a folder with these files."""
    with TemporaryDirectory() as folder:
        path = write(Path(folder), files)
        if files.get("safety.yml") == "":
            (path / "safety.yml").unlink()
        loaded = read_folder(path)
        own = find_own_sigma(loaded) if files is _NOT_SIGMA else ()
        return (*review_rules(loaded, lambda: TODAY), *own)


def _errors() -> Iterator[str]:
    yield from table_head("Code", "At", "Message", "Remedy")
    order = list(Code)
    for problem in sorted(_one_of_each(), key=lambda problem: order.index(problem.code)):
        severity = "" if problem.severity == "error" else " (warning)"
        yield table_row(
            f"`{problem.code}`{severity}",
            f"`{table_cell(problem.text)}`" if problem.text else "",
            table_cell(problem.message),
            table_cell(problem.remedy or _REMEDIES.get(problem.code, "")),
        )


def _one_of_each() -> Iterable[Problem]:
    """Return one problem of each code and wording; names, numbers and files do not count."""
    examples: dict[tuple[str, str], Problem] = {}
    loadable = (files for files, _ in CASES.values() if not _has_surrogates(files))
    for files in (*loadable, *_MORE.values()):
        for problem in problems_of(files):
            wording = re.sub(r"'[^']*'|\d+|[\w/]+\.yml", "", problem.message)
            examples.setdefault((problem.code, wording), problem)
    return examples.values()


def _has_surrogates(files: dict[str, str]) -> bool:
    return any("\ud800" <= character <= "\udfff" for text in files.values() for character in text)


# ---- commands


def _commands() -> Iterator[str]:
    yield from table_head("Command", "Description")
    group = load("rules")
    for name, command in getattr(group, "commands", {}).items():
        options = [option for option in command.params if option.name not in {"help", "as_json"}]
        usage = " ".join([f"clawback rules {name}", *(_usage(option) for option in options)])
        yield table_row(f"`{table_cell(usage)}`", table_cell(first_paragraph(command.help)))


def _usage(option: Any) -> str:
    if option.param_type_name == "argument":
        name = option.name.upper()
        return name if option.required else f"[{name}]"
    usage = option.opts[0] if option.is_flag else f"{option.opts[0]} {option.name.upper()}"
    return usage if option.required else f"[{usage}]"


def undocumented_modifiers() -> set[str]:
    """Return the modifiers that only one of pySigma and MODIFIERS knows."""
    return {*modifier_mapping, *OWN_MODIFIERS} ^ set(MODIFIERS)


TABLES: Tables = {
    "rule commands": _commands,
    "modifiers": _modifiers,
    "refused": _refused,
    "message fields": lambda: _fields(EventKind.MESSAGE),
    "enriched fields": lambda: _fields(EventKind.MESSAGE, Enrichment.DETECTIONS),
    "history fields": lambda: _fields(EventKind.MESSAGE, Enrichment.HISTORY),
    "report fields": lambda: _fields(EventKind.PHISHGUARD_REPORT),
    "derived fields": _derived,
    "submission fields": lambda: _fields(EventKind.SUBMISSION),
    "renamed fields": _renamed,
    "default groups": _groups,
    "actions": _actions,
    "action parameters": _action_parameters,
    "placeholders": _placeholders,
    "modes": _modes,
    "errors": _errors,
}
