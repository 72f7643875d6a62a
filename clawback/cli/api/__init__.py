"""`clawback api`: every operation of the API as a command, for people.

The tree is made from the table of operations.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from clawback.cli.api.parameters import arguments_of, options_of
from clawback.cli.api.read import read_list, read_one, read_picture
from clawback.cli.api.write import Wanted, change
from clawback.cli.arguments import By, Reason, Yes
from clawback.cli.output import AsJson
from clawback.cloudflare.api_request import Method
from clawback.cloudflare.catalogue import OPERATIONS, Operation
from clawback.cloudflare.paging import Page

GROUPS = {
    "investigate": "Look at messages; move, reclassify and release them.",
    "bulk": "Move or release whatever a search finds, at Cloudflare's own pace.",
    "phishguard-reports": "Look at reports.",
    "submissions": "Look at submissions, and make some.",
    "allow-policies": "Who is let off.",
    "block-senders": "Who is blocked.",
    "content-policies": "What is looked for in subjects and bodies.",
    "domains": "The domains of the account.",
    "impersonation-registry": "Whom nobody may pretend to be.",
    "sending-domain-restrictions": "Domains that must be sent to over TLS.",
    "trusted-domains": "Domains that are not suspicious for being new or alike.",
    "url-ignore-patterns": "Links that are left alone.",
}
_ONE_PAGE = {"Read one page of": "List", "Read one page": "List them", " in `[start, end)`": ""}
"""What a method does to one page, a command does to all."""
_PICTURES = frozenset({"preview", "make_preview"})
_SHOWN = 50

Lines = Annotated[
    bool, typer.Option("--json", help="Print a line of JSON for each record, as it comes.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", help="Where the picture goes, a PNG; - is stdout.", show_default=False
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Act while containment is stopped or its state is unknown."),
]


def _tree() -> typer.Typer:
    app = typer.Typer(
        no_args_is_help=True,
        help="Ask Cloudflare, or change something there, by hand: every operation of its API.",
    )
    groups = {name: typer.Typer(no_args_is_help=True, help=help_) for name, help_ in GROUPS.items()}
    for operation in OPERATIONS:
        group, verb = operation.command
        groups[group].command(verb, help=_help(operation))(_command(operation))
    for name, group_app in groups.items():
        app.add_typer(group_app, name=name)
    return app


def _help(operation: Operation) -> str:
    says = operation.summary
    for page, all_of_them in _ONE_PAGE.items():
        says = says.replace(page, all_of_them)
    return f"{says}: {operation.method} {operation.endpoint}. Permission: {operation.permission}."


def _command(operation: Operation) -> Callable[..., int]:
    """Build what typer runs.

    A function whose signature is that of the operation, and what its kind of command takes beside.
    """
    kind = (
        _changing
        if operation.method is not Method.GET and operation.name not in _PICTURES
        else _reading
    )
    own, run = kind(operation)

    def command(**given: Any) -> int:
        return run(operation, given)

    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*options_of(operation), *(_own(name, *one) for name, one in own.items())]
    )
    return command


_Run = Callable[[Operation, dict[str, Any]], int]


def _reading(operation: Operation) -> tuple[dict[str, tuple[Any, Any]], _Run]:
    if operation.name in _PICTURES:
        return {"output": (Output, None), "as_json": (AsJson, False)}, _read_picture
    if _is_paged(operation):
        return {"limit": (Limit, _SHOWN), "as_json": (Lines, False)}, _read_list
    return {"as_json": (AsJson, False)}, _read_one


def _changing(_: Operation) -> tuple[dict[str, tuple[Any, Any]], _Run]:
    own = {
        "by": (By, inspect.Parameter.empty),
        "reason": (Reason, ""),
        "yes": (Yes, False),
        "force": (Force, False),
    }
    return {**own, "as_json": (AsJson, False)}, _change


def _own(name: str, kind: Any, default: Any) -> inspect.Parameter:
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


def _read_picture(operation: Operation, given: dict[str, Any]) -> int:
    return read_picture(
        operation, arguments_of(operation, given), given["output"], as_json=given["as_json"]
    )


def _change(operation: Operation, given: dict[str, Any]) -> int:
    how = {name: given[name] for name in ("by", "reason", "yes", "force", "as_json")}
    return change(Wanted(operation, arguments_of(operation, given), **how))


app = _tree()
