"""Writes the tables of docs/rules.md from the code.

Fields, modifiers, actions, modes, errors, commands, limits. `make docs` runs it.

The errors are what the loader says of the broken files of tests/rules/test_problems.py, and of
those below.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
from sigma.modifiers import modifier_mapping

from clawback.actions import ACTIONS, CASE_WORDS, Scope, schema_of
from clawback.cli.rules import app
from clawback.model.durations import format_duration
from clawback.model.events import EventKind
from clawback.rules.lint.review import review_rules
from clawback.rules.loader import read_folder
from clawback.rules.source.catalogue import FIELDS, RENAMED, Field, FieldType
from clawback.rules.source.documents import Status
from clawback.rules.source.errors import Code, Problem
from clawback.rules.source.responses import DEFAULT_GROUP
from docs.tables import cell, head
from tests.rules.folders import PLAIN, TODAY, block, write
from tests.rules.test_problems import CASES

PAGE = Path(__file__).parent / "rules.md"

MODIFIERS: dict[str, tuple[str, str]] = {
    "contains": ("the text anywhere in the value", "subject|contains: invoice"),
    "startswith": ("the value begins with the text", "final_disposition|startswith: MALICIOUS"),
    "endswith": ("the value ends with the text", "from|endswith: '@x.test'"),
    "all": ("every value of the list, not any of them", "subject|contains|all: [invoice, overdue]"),
    "cased": ("upper and lower case count", "subject|contains|cased: URGENT"),
    "neq": ("any other value; also true where there is none", "delivery_mode|neq: API"),
    "exists": (
        "there is a value (`true`), or none (`false`); null and an empty list are none",
        "replyto|exists: true",
    ),
    "re": (
        "a regular expression of RE2, found anywhere in the value; case counts",
        "subject|re: '^Invoice [0-9]+$'",
    ),
    "i": ("after `re`: case does not count", "subject|re|i: '\\bwire transfer\\b'"),
    "ignorecase": ("the same as `i`", "subject|re|ignorecase: urgent"),
    "m": (
        "after `re`: `^` and `$` also match at line breaks",
        "detections.headers.value|re|m: '^by mx'",
    ),
    "multiline": ("the same as `m`", "detections.headers.value|re|multiline: '^by mx'"),
    "s": ("after `re`: `.` also matches a line break", "detections.headers.value|re|s: 'from.*by'"),
    "dotall": ("the same as `s`", "detections.headers.value|re|dotall: 'from.*by'"),
    "cidr": (
        "the address is in the network, IPv4 or IPv6",
        "smtp_previous_hop_ip|cidr: 192.0.2.0/24",
    ),
    "gt": ("greater than the number", "detections.attachments.size|gt: 1000000"),
    "gte": ("greater or equal", "detections.findings.score|gte: 0.9"),
    "lt": ("less than the number", "detections.attachments.size|lt: 100"),
    "lte": ("less or equal", "detections.findings.score|lte: 0.5"),
    "fieldref": (
        "the value of another field of the same event; with `startswith`, `endswith`, `contains` a part of it",
        "replyto|fieldref: from",
    ),
    "expand": (
        "`%name%` stands for each value of `lists/name.yml`",
        "from|expand|endswith: '@%own_domains%'",
    ),
    "minute": ("the minute of a time, in UTC", "scanned_at|minute: 30"),
    "hour": ("the hour of a time, in UTC", "scanned_at|hour: [0, 1, 2, 3]"),
    "day": ("the day of the month, in UTC", "scanned_at|day: 1"),
    "week": ("the ISO week, in UTC", "scanned_at|week: 52"),
    "month": ("the month, in UTC", "scanned_at|month: 12"),
    "year": ("the year, in UTC", "scanned_at|year: 2026"),
    "base64": ("the text as it looks in base64", "detections.headers.value|base64: hello"),
    "base64offset": (
        "the same at each of the three offsets it can have; with `contains`",
        "detections.links.href|base64offset|contains: '@x.test'",
    ),
    "wide": (
        "the text as UTF-16, little endian; before `base64…`",
        "detections.links.href|wide|base64offset|contains: user",
    ),
    "utf16": (
        "the text as UTF-16 with a byte order mark; before `base64…`",
        "detections.headers.value|utf16|base64: user",
    ),
    "utf16be": (
        "the text as UTF-16, big endian; before `base64…`",
        "detections.headers.value|utf16be|base64: user",
    ),
    "windash": (
        "a dash of the text stands for each of the dashes and the slash",
        "subject|windash|contains: ' -run'",
    ),
}
"""Every modifier that pySigma parses: what it does, and an example that loads."""

REFUSED: tuple[tuple[str, str], ...] = (
    (
        "subject|re|contains: pay",
        "a regular expression is found anywhere already; anchor it with `^` and `$`",
    ),
    (
        "subject|re: '(?=pay)'",
        "RE2 has no look-around and no back-references; what it takes runs in linear time",
    ),
    ("subject|re|cased: pay", "a regular expression minds case already; `i` turns that off"),
    (
        "subject|expand|base64: '%own_domains%'",
        "the values of a list are not known when the text is encoded; write them out",
    ),
    ("subject|i: pay", "the flags belong to `re`"),
    ("subject|gt: 5", "a text is not a number"),
    (
        "scanned_at|gt: 5",
        "a time is not a number; ask for its parts, or write a correlation with a timespan",
    ),
    ("subject|lookup: pay", "pySigma has no such modifier"),
)
"""What Sigma's grammar allows, or other backends do, and is refused here: an example, and why."""

_REMEDIES = {
    Code.WRONG_VALUE: "write what the message asks for",
    Code.FIELD_TYPE: "write a value that the field can have, or ask another field",
    Code.ACTION: "write what the message offers",
    Code.CORRELATION: "write a number and a unit: s, m, h, d",
}
"""What to do where the message says it all."""
_LISTS = {"lists/own_domains.yml": "values: [x.test]\n"}
_MORE: dict[str, dict[str, str]] = {
    "unused": {"x.yml": block("sel: {subject: a}\nother: {subject: b}\ncondition: sel")},
    "never": {
        "x.yml": block(
            "sel: {final_disposition: SPAM}\nother: {final_disposition: BULK}\ncondition: sel and other"
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
    "ended": {
        "exceptions/x.yml": "owner: me\nexpires: 2026-01-31\n"
        + block("sel: {from: a@x.test}\ncondition: not sel").replace(
            "detection:", "filter:\n  rules: any"
        )
    },
    "no safety": {"a_rule.yml": PLAIN, "safety.yml": ""},
    "too large": {"x.yml": "title: " + "x" * (1 << 20)},
}


# ---- fields


def _fields(kind: EventKind, *, enriched: bool) -> Iterator[str]:
    yield from head("Field", "Type", "What it is")
    for field in FIELDS[kind].values():
        joined = kind is not EventKind.MESSAGE and field.name.startswith("message.")
        if field.enrichment == enriched and not joined:
            yield f"| `{field.name}` | {_type(field)} | {field.description}{_values(field)} |"


def _type(field: Field) -> str:
    return f"{field.type}, many" if field.many else field.type


def _values(field: Field) -> str:
    return (
        f": {', '.join(f'`{value}`' for value in field.values)}"
        if field.type is FieldType.ENUM
        else ""
    )


def _renamed() -> Iterator[str]:
    yield from head("Not", "But")
    for old, new in RENAMED.items():
        yield f"| `{old}` | `{new.replace(' (', '` (`').replace(' on a report)', '` on a report)')}{'' if '(' in new else '`'} |"


# ---- language


def _modifiers() -> Iterator[str]:
    yield from head("Modifier", "What must hold", "Example")
    for name, (meaning, example) in MODIFIERS.items():
        yield f"| `{name}` | {meaning} | `{cell(example)}` |"


def _refused() -> Iterator[str]:
    yield from head("Refused", "Why", "What the loader says")
    for example, reason in REFUSED:
        (problem,) = problems_of({**_LISTS, "x.yml": block(f"sel: {{{example}}}\ncondition: sel")})
        yield f"| `{cell(example)}` | {reason} | {cell(problem.message)} |"


def _actions() -> Iterator[str]:
    yield from head("Action", "Done to", "Parameter", "Takes", "What it is")
    for name, model in ACTIONS.items():
        schema = schema_of(name)
        done_to = "the case, once" if model.scope is Scope.CASE else "each message"
        yield f"| **`{name}`** | {done_to} | | | {cell(' '.join((model.__doc__ or '').split()))} |"
        for parameter, about in schema["properties"].items():
            default = (
                ""
                if parameter in schema.get("required", ())
                else f"; {_default(model.model_fields[parameter].default)} unless told"
            )
            yield f"| | | `{parameter}` | {cell(_takes(about, schema) + default)} | {cell(about.get('description', ''))} |"


def _words() -> Iterator[str]:
    yield from head("Word", "What it stands for")
    yield from (f"| `{{{word}}}` | {meaning} |" for word, meaning in CASE_WORDS.items())


def _takes(about: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if (reference := about.get("$ref")) is not None:
        return _takes(schema["$defs"][reference.rpartition("/")[2]], schema)
    if "enum" in about:
        return ", ".join(f"`{value}`" for value in about["enum"])
    if "anyOf" in about:
        return " or ".join(
            dict.fromkeys(
                _takes(one, schema) for one in about["anyOf"] if one.get("type") != "null"
            )
        )
    return _TYPES.get(about.get("type", ""), "a value")


_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
}


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_default, value))
    return (
        f"`{format_duration(value)}`"
        if isinstance(value, timedelta)
        else "nothing"
        if value is None
        else f"`{value}`"
    )


def _modes() -> Iterator[str]:
    yield from head("Status", "Strongest mode", "What that does")
    does = {
        "shadow": "records what it would have done",
        "approve": "asks, and acts when somebody says so",
        "enforce": "acts",
    }
    for status in Status:
        yield f"| `{status}` | `{status.ceiling}` | {does[status.ceiling]} |"


def _groups() -> Iterator[str]:
    yield from head("Category", "A case is, unless told, one value of")
    for kind, fields in DEFAULT_GROUP.items():
        yield f"| `{kind}` | {', '.join(f'`{field}`' for field in fields)} |"


# ---- errors


def problems_of(files: dict[str, str]) -> tuple[Problem, ...]:
    """Write a folder, and give everything that `clawback rules check` finds wrong with it."""
    with TemporaryDirectory() as folder:
        path = write(Path(folder), files)
        if files.get("safety.yml") == "":
            (path / "safety.yml").unlink()
        return review_rules(read_folder(path), lambda: TODAY)


def _errors() -> Iterator[str]:
    yield from head("Code", "Text", "What is wrong", "What to do")
    said: dict[tuple[str, str], Problem] = {}
    for files in (
        *(files for files, _ in CASES.values() if not _unwritable(files)),
        *_MORE.values(),
    ):
        for problem in problems_of(files):
            said.setdefault(
                (problem.code, re.sub(r"'[^']*'|\d+|[\w/]+\.yml", "", problem.message)), problem
            )
    for problem in sorted(said.values(), key=lambda problem: list(Code).index(problem.code)):
        kind = "" if problem.severity == "error" else " (warning)"
        text = f"`{cell(problem.text)}`" if problem.text else ""
        yield f"| `{problem.code}`{kind} | {text} | {cell(problem.message)} | {cell(problem.remedy or _REMEDIES.get(problem.code, ''))} |"


def _unwritable(files: dict[str, str]) -> bool:
    return any("\ud800" <= character <= "\udfff" for text in files.values() for character in text)


# ---- commands


def _commands() -> Iterator[str]:
    yield from head("Command", "What it does")
    group = typer.main.get_command(app)
    for name, command in getattr(group, "commands", {}).items():
        options = [option for option in command.params if option.name not in {"help", "as_json"}]
        usage = " ".join([f"clawback rules {name}", *(_usage(option) for option in options)])
        yield f"| `{cell(usage)}` | {cell((command.help or '').split(chr(10) * 2)[0].replace(chr(10), ' '))} |"


def _usage(option: Any) -> str:
    if option.param_type_name == "argument":
        name = option.name.upper()
        return name if option.required else f"[{name}]"
    said = option.opts[0] if option.is_flag else f"{option.opts[0]} {option.name.upper()}"
    return said if option.required else f"[{said}]"


def modifiers_left_out() -> set[str]:
    """What pySigma parses and the page does not speak of."""
    return set(modifier_mapping) ^ set(MODIFIERS)


TABLES: dict[str, Callable[[], Iterable[str]]] = {
    "commands": _commands,
    "modifiers": _modifiers,
    "refused": _refused,
    "message fields": lambda: _fields(EventKind.MESSAGE, enriched=False),
    "enriched fields": lambda: _fields(EventKind.MESSAGE, enriched=True),
    "report fields": lambda: _fields(EventKind.PHISHGUARD_REPORT, enriched=False),
    "submission fields": lambda: _fields(EventKind.SUBMISSION, enriched=False),
    "renamed": _renamed,
    "groups": _groups,
    "actions": _actions,
    "words": _words,
    "modes": _modes,
    "errors": _errors,
}
