"""Generates the tables of docs/operations/ from the code: commands, settings, metrics, alerts."""

import ast
import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import yaml
from pydantic_core import PydanticUndefined

from clawback.cli import exits
from clawback.cli.program import COMMANDS, load
from clawback.console.api.openapi import list_operations
from clawback.local.temporal_program import TESTED
from clawback.model.durations import format_duration
from clawback.reports.numbers import DEFINITIONS
from clawback.settings import Settings, variable
from clawback.simulator.faults import FAULT_TYPES
from clawback.telemetry import metrics
from docs.tables import DOCS, Tables, first_paragraph, table_cell, table_head, table_row

ALERTS = DOCS.parent / "deploy" / "prometheus" / "alerts.yml"
_LABEL = re.compile(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}")


def _commands() -> Iterator[str]:
    yield from table_head("Command", "Description")
    for name in COMMANDS:
        command = load(name)
        children = getattr(command, "commands", {})
        for child, inner in children.items():
            yield _command(f"{name} {child}", inner.help)
        if not children or getattr(command, "invoke_without_command", False):
            yield _command(name, command.help)


def _command(name: str, help_text: str | None) -> str:
    return table_row(f"`clawback {name}`", table_cell(first_paragraph(help_text)))


def _settings() -> Iterator[str]:
    yield from table_head("Variable", "Default", "Description")
    for name, field in Settings.model_fields.items():
        yield table_row(f"`{variable(name)}`", _default(field.default), field.description or "")


def _default(value: object) -> str:
    if value in {None, PydanticUndefined, ()}:
        return "—"
    return f"`{format_duration(value)}`" if isinstance(value, timedelta) else f"`{value}`"


def _http_api() -> Iterator[str]:
    yield from table_head("Operation", "Role", "")
    for method, path, role, summary in list_operations():
        yield table_row(f"`{method} {path}`", role, summary)


def _exit_codes() -> Iterator[str]:
    """Read the meanings from the docstrings below the members, which Python does not keep."""
    yield from table_head("Code", "Name", "Meaning")
    body = ast.parse(inspect.getsource(exits.ExitCode)).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for statement, below in pairwise(statements):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            meaning = str(ast.literal_eval(below.value)) if isinstance(below, ast.Expr) else ""
            yield table_row(str(exits.ExitCode[name].value), name, meaning)


def _metrics() -> Iterator[str]:
    yield from table_head("Metric", "Type", "Labels", "Description")
    for family in sorted(metrics.REGISTRY.collect(), key=lambda family: family.name):
        if family.name.startswith("clawback_"):
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            labels = ", ".join(metrics.LABELS[family.name]) or "—"
            yield table_row(f"`{family.name}{suffix}`", family.type, labels, family.documentation)


def _programs() -> Iterator[str]:
    yield from table_head("Platform", "SHA-256 of `temporal`")
    for digest, platform in TESTED.items():
        yield table_row(platform, f"`{digest}`")


def _alerts() -> Iterator[str]:
    yield from table_head("Alert and runbook", "Severity", "Summary")
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    for rule in (one for group in groups for one in group["rules"] if "alert" in one):
        name = rule["alert"]
        summary = _LABEL.sub(r"(\1)", rule["annotations"]["summary"])
        link = f"[`{name}`](../runbooks/{name}.md)"
        yield table_row(link, rule["labels"]["severity"], table_cell(summary))


def _faults() -> Iterator[str]:
    yield from table_head("Fault", "Effect", "Parameter")
    for fault in FAULT_TYPES.values():
        default = f"{fault.seconds_meaning}; default {fault.seconds:g} s"
        parameter = default if fault.seconds_meaning else ""
        yield table_row(f"`{fault.name}`", table_cell(fault.description), table_cell(parameter))


def _report_numbers() -> Iterator[str]:
    yield from table_head("Name", "Unit", "Formula")
    for name, one in DEFINITIONS.items():
        yield table_row(f"`{name}`", one.unit, table_cell(one.formula))


TABLES: Tables = {
    "report numbers": _report_numbers,
    "faults": _faults,
    "commands": _commands,
    "settings": _settings,
    "exit codes": _exit_codes,
    "http api": _http_api,
    "metrics": _metrics,
    "alerts": _alerts,
    "programs": _programs,
}
