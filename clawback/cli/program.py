"""The tree of commands, and the one place where an error becomes a message and an exit code."""

import os
import sys
import traceback
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from clawback.app_files import build_id
from clawback.cli.exits import ExitCode, Failure, describe_missing_module
from clawback.cli.output import escape_what_streams_lack, print_error, print_text
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
    "login",
    "logout",
    "whoami",
    "keys",
    "codec",
    "doctor",
)


class LazyCommands(TyperGroup):
    """Imports the module of a command when it is first asked for, so that each starts fast.

    A module holds either `app`, a group of commands, or one function of its own name.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class gives it
        """Name the commands in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base class gives it
        """Load a command; None if there is none of that name."""
        return load(cmd_name) if cmd_name in COMMANDS else None


def load(name: str) -> TyperGroup | TyperCommand:
    """Import a command and build the object that typer runs."""
    module = import_module(f"clawback.cli.{name}")
    if hasattr(module, "app"):
        # also for its commands; rich's help would keep the line breaks of our docstrings
        module.app.rich_markup_mode = None
        group: TyperGroup = get_group(module.app)
        group.name = name
        return group

    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(getattr(module, name))
    return get_command(single)  # type: ignore[return-value]


def _print_version(*, wanted: bool) -> None:
    if wanted:
        print_text(f"clawback {build_id()}")
        raise typer.Exit


def _program(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Respond to phishing that Cloudflare Email Security finds after delivery."""


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; an error is one message on stderr."""
    app = typer.Typer(
        cls=LazyCommands,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_program)

    escape_what_streams_lack()
    command, words = get_command(app), arguments or ["--help"]
    try:
        code = command.main(words, prog_name="clawback", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # the interpreter would complain about the closed pipe again when it flushes stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last resort of every command
        return _report(error)

    return code if isinstance(code, int) else ExitCode.OK


def _report(error: Exception) -> ExitCode:
    if os.environ.get("CLAWBACK_LOG_LEVEL") == "debug":
        traceback.print_exception(error)

    match error:
        case Failure():
            print_error(str(error))
            return error.code
        case SettingsError():
            print_error(str(error))
            return ExitCode.USAGE
        case typer.TyperException():
            # the message is empty where typer has shown the help instead
            if message := " ".join(error.format_message().split()):
                print_error(f"{message} (see clawback --help)")
            return ExitCode.USAGE
        case ModuleNotFoundError() if not (error.name or "").startswith("clawback"):
            print_error(describe_missing_module(error))
            return ExitCode.ENVIRONMENT
        case OSError():
            print_error(_describe(error))
            return ExitCode.ENVIRONMENT
        case _:
            what = f"{type(error).__name__}: {str(error)[:300]}"
            print_error(
                f"internal error: {what}; please report it with the traceback that "
                "CLAWBACK_LOG_LEVEL=debug prints"
            )
            return ExitCode.INTERNAL


def _describe(error: OSError) -> str:
    if error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
