"""The tree of commands, each loaded when it is first asked for, and the one place where errors become sentences and exit codes."""

import os
import sys
import traceback
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from clawback import __version__
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import complain, say
from clawback.settings import SettingsError

COMMANDS = (
    "up",
    "worker",
    "simulate",
    "rehearse",
    "rules",
    "case",
    "block",
    "undo",
    "stop",
    "resume",
    "poll",
    "api",
    "audit",
    "doctor",
)


class LazyCommands(TyperGroup):
    """Finds a command in the module of its name, so that `clawback audit` does not load what `clawback up` needs.

    A module holds either `app`, a group of commands, or one function of its own name.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class gives it
        """Name the commands in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base class gives it
        """Load a command; None where there is none of that name."""
        return load(cmd_name) if cmd_name in COMMANDS else None


def load(name: str) -> TyperGroup | TyperCommand:
    """Load the module of a command and build what typer runs."""
    module = import_module(f"clawback.cli.{name}")
    if hasattr(module, "app"):
        group: TyperGroup = get_group(module.app)
        group.name = name
        return group
    single = typer.Typer(add_completion=False)
    single.command(name)(getattr(module, name))
    return get_command(single)  # type: ignore[return-value]


def _say_version(*, wanted: bool) -> None:
    if wanted:
        say(f"clawback {__version__}")
        raise typer.Exit


def _program(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Pull phishing back out of mailboxes: rules on Cloudflare Email Security, acted on durably."""


def run(arguments: list[str]) -> int:
    """Run one command line and give its exit code.

    Whatever goes wrong is one sentence on stderr.
    """
    app = typer.Typer(
        cls=LazyCommands,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_program)
    try:
        answer = get_command(app).main(
            arguments or ["--help"], prog_name="clawback", standalone_mode=False
        )
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.CUT_OFF
    except Exception as error:  # noqa: BLE001 - the last resort of every command
        return _explain(error)
    return answer if isinstance(answer, int) else ExitCode.OK


def _explain(error: Exception) -> ExitCode:
    if os.environ.get("CLAWBACK_LOG_LEVEL") == "debug":
        traceback.print_exception(error)
    match error:
        case Failure():
            complain(str(error))
            return error.code
        case SettingsError():
            complain(str(error))
            return ExitCode.USAGE
        case typer.TyperException():
            if said := " ".join(
                error.format_message().split()
            ):  # nothing is said where the help was shown instead
                complain(f"{said} (clawback --help shows what there is)")
            return ExitCode.USAGE
        case OSError():
            complain(_about(error))
            return ExitCode.ENVIRONMENT
        case _:
            complain(
                f"a defect: {type(error).__name__}: {str(error)[:300]} (CLAWBACK_LOG_LEVEL=debug shows where)"
            )
            return ExitCode.DEFECT


def _about(error: OSError) -> str:
    return (
        f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
    )
