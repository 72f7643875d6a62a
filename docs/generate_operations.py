"""Writes the tables of docs/operations.md from the code: commands, settings, exit codes, metrics.

`make docs` runs it.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import yaml
from pydantic_core import PydanticUndefinedType

from clawback.cli import exits
from clawback.cli.program import COMMANDS, load
from clawback.model.durations import format_duration
from clawback.settings import Settings, variable
from clawback.telemetry import metrics
from docs.tables import head

ALERTS = Path(__file__).parents[1] / "deploy" / "prometheus" / "alerts.yml"
_LABEL = re.compile(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}")
PAGE = Path(__file__).parent / "operations.md"


def _commands() -> Iterator[str]:
    yield from head("Command", "What it does")
    for name in COMMANDS:
        command = load(name)
        children = getattr(command, "commands", {})
        for child, inner in children.items():
            yield f"| `clawback {name} {child}` | {_first(inner.help)} |"
        if not children:
            yield f"| `clawback {name}` | {_first(command.help)} |"


def _settings() -> Iterator[str]:
    yield from head("Variable", "Default", "What it is")
    for name, field in Settings.model_fields.items():
        yield f"| `{variable(name)}` | {_default(field.default)} | {field.description} |"


def _exit_codes() -> Iterator[str]:
    yield from head("Code", "Name", "Meaning")
    body = ast.parse(inspect.getsource(exits.ExitCode)).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for number, statement in enumerate(statements):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            says = statements[number + 1]
            meaning = str(ast.literal_eval(says.value)) if isinstance(says, ast.Expr) else ""
            name = statement.targets[0].id
            yield f"| {exits.ExitCode[name].value} | {name} | {meaning} |"


def _metrics() -> Iterator[str]:
    yield from head("Metric", "Type", "Labels", "What it says")
    for family in sorted(metrics.REGISTRY.collect(), key=lambda family: family.name):
        if family.name.startswith("clawback_"):
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            yield f"| `{family.name}{suffix}` | {family.type} | {', '.join(metrics.LABELS[family.name]) or '—'} | {family.documentation} |"


def _first(text: str | None) -> str:
    return (text or "").split("\n\n")[0].replace("\n", " ")


def _default(value: object) -> str:
    match value:
        case None | PydanticUndefinedType():
            return "—"
        case timedelta():
            return f"`{format_duration(value)}`"
        case _:
            return f"`{value}`"


def _alerts() -> Iterator[str]:
    yield from head("Alert", "Severity", "What it says", "What to do")
    for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]:
        said = _LABEL.sub(r"(\1)", rule["annotations"]["summary"])
        yield f"| `{rule['alert']}` | {rule['labels']['severity']} | {said} | {rule['annotations']['runbook']} |"


TABLES: dict[str, Callable[[], Iterable[str]]] = {
    "commands": _commands,
    "settings": _settings,
    "exit codes": _exit_codes,
    "metrics": _metrics,
    "alerts": _alerts,
}
