"""Writes the tables of docs/operations.md from the code: commands, settings, exit codes, metrics. `make docs` runs it.

It changes only what stands between the markers `<!-- name -->` and `<!-- /name -->`, and exits 1 if that changed anything.
"""  # noqa: INP001 - a script beside the pages it writes

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import yaml

from clawback.cli import exits
from clawback.cli.program import COMMANDS, load
from clawback.durations import format_duration
from clawback.settings import Settings, variable
from clawback.telemetry import metrics

ALERTS = Path(__file__).parents[1] / "deploy" / "prometheus" / "alerts.yml"
_LABEL = re.compile(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}")
PAGE = Path(__file__).parent / "operations.md"


def main() -> int:
    """Write the tables; 1 if the page was not up to date."""
    before = PAGE.read_text()
    after = written(before)
    PAGE.write_text(after)
    return int(before != after)


def written(page: str) -> str:
    """Give the page with every table as the code has it now."""
    for name, rows in TABLES.items():
        before, opening, rest = page.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        page = before + opening + "".join(f"{row}\n" for row in rows()) + closing + after
    return page


def _commands() -> Iterator[str]:
    yield from _head("Command", "What it does")
    for name in COMMANDS:
        command = load(name)
        children = getattr(command, "commands", {})
        for child, inner in children.items():
            yield f"| `clawback {name} {child}` | {_first(inner.help)} |"
        if not children:
            yield f"| `clawback {name}` | {_first(command.help)} |"


def _settings() -> Iterator[str]:
    yield from _head("Variable", "Default", "What it is")
    for name, field in Settings.model_fields.items():
        yield f"| `{variable(name)}` | {_default(field.default)} | {field.description} |"


def _exit_codes() -> Iterator[str]:
    yield from _head("Code", "Name", "Meaning")
    body = ast.parse(inspect.getsource(exits.ExitCode)).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for number, statement in enumerate(statements):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            says = statements[number + 1]
            meaning = str(ast.literal_eval(says.value)) if isinstance(says, ast.Expr) else ""
            name = statement.targets[0].id
            yield f"| {exits.ExitCode[name].value} | {name} | {meaning} |"


def _metrics() -> Iterator[str]:
    yield from _head("Metric", "Type", "Labels", "What it says")
    for family in sorted(metrics.REGISTRY.collect(), key=lambda family: family.name):
        if family.name.startswith("clawback_"):
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            yield f"| `{family.name}{suffix}` | {family.type} | {', '.join(metrics.LABELS[family.name]) or '—'} | {family.documentation} |"


def _head(*columns: str) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)


def _first(text: str | None) -> str:
    return (text or "").split("\n\n")[0].replace("\n", " ")


def _default(value: object) -> str:
    match value:
        case None:
            return "—"
        case timedelta():
            return f"`{format_duration(value)}`"
        case _:
            return f"`{value}`"


def _alerts() -> Iterator[str]:
    yield from _head("Alert", "Severity", "What it says", "What to do")
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

if __name__ == "__main__":
    sys.exit(main())
