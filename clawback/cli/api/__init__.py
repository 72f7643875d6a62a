"""`clawback api`: every operation of the Email Security API as a command.

The commands are built from the table of operations.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from clawback.cli.acting import By, Reason, require_role
from clawback.cli.api.parameters import arguments_of, options_of
from clawback.cli.api.read import read_list, read_one, read_screenshot
from clawback.cli.api.write import ChangeRequest, change
from clawback.cli.arguments import Yes
from clawback.cli.output import AsJson
from clawback.cloudflare.api_request import Method
from clawback.cloudflare.operation_catalogue import OPERATIONS, Operation
from clawback.cloudflare.paging import Page
from clawback.model.identity import Role

GROUPS = {
    "investigate": "Read, move, reclassify and release messages.",
    "bulk": "Move or release all messages of a search.",
    "phishguard-reports": "Read PhishGuard reports.",
    "submissions": "Read submissions, and submit messages.",
    "allow-policies": "Manage allow policies.",
    "block-senders": "Manage blocked senders.",
    "content-policies": "Manage patterns in subjects and bodies.",
    "domains": "Manage the domains of the account.",
    "impersonation-registry": "Manage the names that are protected.",
    "sending-domain-restrictions": "Manage domains that require TLS.",
    "trusted-domains": "Manage domains exempt from similarity checks.",
    "url-ignore-patterns": "Manage links that are not rewritten.",
}
_ONE_PAGE = {"Read one page of": "List", "Read one page": "List them", " in `[start, end)`": ""}
"""A method reads one page, its command reads all."""
_SCREENSHOTS = frozenset({"preview", "make_preview"})
_DEFAULT_LIMIT = 50

Lines = Annotated[
    bool, typer.Option("--json", help="Print one line of JSON per record, as records arrive.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Maximum number of records.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", help="PNG file to write; - is stdout.", show_default=False),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Act while containment is stopped or its state is unknown."),
]


def _build_app() -> typer.Typer:
    app = typer.Typer(
        no_args_is_help=True,
        help="Call any operation of the Email Security API by hand.",
    )
    groups = {name: typer.Typer(no_args_is_help=True, help=help_) for name, help_ in GROUPS.items()}
    for operation in OPERATIONS:
        group, verb = operation.command
        summary = _summarize(operation)
        details = f"{operation.method} {operation.endpoint}. Permission: {operation.permission}."
        add = groups[group].command(verb, help=f"{summary}: {details}", short_help=f"{summary}.")
        add(_command(operation))

    for name, group_app in groups.items():
        app.add_typer(group_app, name=name)

    return app


def _summarize(operation: Operation) -> str:
    summary = operation.summary
    for page, all_of_them in _ONE_PAGE.items():
        summary = summary.replace(page, all_of_them)
    return summary


def _command(operation: Operation) -> Callable[..., int]:
    """Build the function that typer runs.

    Its signature has the parameters of the operation and the options of its kind of command.
    """
    kind = (
        _change_options
        if operation.method is not Method.GET and operation.name not in _SCREENSHOTS
        else _read_options
    )
    options, run = kind(operation)

    def command(**given: Any) -> int:
        return run(operation, given)

    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*options_of(operation), *(_parameter(name, *one) for name, one in options.items())]
    )
    return command


_Run = Callable[[Operation, dict[str, Any]], int]


def _read_options(operation: Operation) -> tuple[dict[str, tuple[Any, Any]], _Run]:
    if operation.name in _SCREENSHOTS:
        return {"output": (Output, None), "as_json": (AsJson, False)}, _read_screenshot
    if _is_paged(operation):
        return {"limit": (Limit, _DEFAULT_LIMIT), "as_json": (Lines, False)}, _read_list
    return {"as_json": (AsJson, False)}, _read_one


def _change_options(_: Operation) -> tuple[dict[str, tuple[Any, Any]], _Run]:
    options = {
        "by": (By, ""),
        "reason": (Reason, ""),
        "yes": (Yes, False),
        "force": (Force, False),
    }
    return {**options, "as_json": (AsJson, False)}, _change


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _is_paged(operation: Operation) -> bool:
    returned = inspect.signature(operation.function).return_annotation
    return getattr(returned, "__origin__", None) is Page


def _read_list(operation: Operation, given: dict[str, Any]) -> int:
    return read_list(
        operation, arguments_of(operation, given), given["limit"], as_json=given["as_json"]
    )


def _read_one(operation: Operation, given: dict[str, Any]) -> int:
    return read_one(operation, arguments_of(operation, given), as_json=given["as_json"])


def _read_screenshot(operation: Operation, given: dict[str, Any]) -> int:
    return read_screenshot(
        operation, arguments_of(operation, given), given["output"], as_json=given["as_json"]
    )


def _change(operation: Operation, given: dict[str, Any]) -> int:
    how = {name: given[name] for name in ("reason", "yes", "force", "as_json")}
    actor = require_role(Role.OPERATOR, "change the account directly", given["by"])
    return change(ChangeRequest(operation, arguments_of(operation, given), actor, **how))


app = _build_app()
