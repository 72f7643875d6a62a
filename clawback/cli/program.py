"""The tree of commands, and the one place where an error becomes a message and an exit code."""

import os
import sys
import traceback
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from clawback.app_files import build_id
from clawback.cli.exits import ExitCode, Failure, describe_missing_module
from clawback.cli.lazy_group import LazyCommand, LazyGroup, load_whole
from clawback.cli.output import escape_what_streams_lack, print_error, print_text
from clawback.installations import enter_installation
from clawback.secret_files import SecretUnreadable
from clawback.settings import SettingsError

COMMANDS = {
    "up": LazyCommand("clawback.cli.up:up", "Run everything on this machine until Ctrl-C."),
    "worker": LazyCommand("clawback.cli.worker:worker", "Run the worker in the foreground."),
    "console": LazyCommand(
        "clawback.cli.console:console", "Serve the web console in the foreground."
    ),
    "simulate": LazyCommand(
        "clawback.cli.simulate:simulate",
        "Run a simulated Email Security API, with faults and a ledger.",
    ),
    "rehearse": LazyCommand(
        "clawback.cli.rehearse:rehearse",
        "Run a corpus through a real worker and judge the outcome.",
    ),
    "rules": LazyCommand("clawback.cli.rules:app", "Write, check, test and understand rules."),
    "case": LazyCommand(
        "clawback.cli.case:app", "List, show and watch cases, and decide held ones."
    ),
    "block": LazyCommand(
        "clawback.cli.block:app", "List, extend and lift the sender blocks that clawback created."
    ),
    "undo": LazyCommand(
        "clawback.cli.undo:app", "Undo what cases did, by case, rule, message or time."
    ),
    "stop": LazyCommand("clawback.cli.stop:stop", "Stop containment on all workers."),
    "resume": LazyCommand(
        "clawback.cli.resume:resume", "Resume containment after `clawback stop`."
    ),
    "poll": LazyCommand("clawback.cli.poll:app", "Show and control the pollers."),
    "api": LazyCommand(
        "clawback.cli.api:app", "Call any operation of the Email Security API by hand."
    ),
    "audit": LazyCommand(
        "clawback.cli.audit:app", "Verify and search the audit, and manage its key."
    ),
    "login": LazyCommand("clawback.cli.login:login", "Sign in, so that you may change something."),
    "logout": LazyCommand("clawback.cli.logout:logout", "Sign out on this machine."),
    "whoami": LazyCommand(
        "clawback.cli.whoami:whoami", "Show who you are for clawback, and what you may do."
    ),
    "tokens": LazyCommand(
        "clawback.cli.tokens:app", "Create, list and revoke tokens of the HTTP API."
    ),
    "sessions": LazyCommand("clawback.cli.sessions:app", "End the console sessions of a person."),
    "keys": LazyCommand("clawback.cli.keys:app", "Manage the keys that encrypt payloads."),
    "codec": LazyCommand(
        "clawback.cli.codec:codec", "Serve the Temporal UI with decrypted payloads until Ctrl-C."
    ),
    "backup": LazyCommand("clawback.cli.backup:backup", "Back up this installation while it runs."),
    "restore": LazyCommand(
        "clawback.cli.restore:restore", "Restore a backup into an empty state folder."
    ),
    "report": LazyCommand(
        "clawback.cli.report:report", "Report what clawback did in a period, with formulas."
    ),
    "doctor": LazyCommand(
        "clawback.cli.doctor:doctor", "Check the health of this installation and print remedies."
    ),
}


class Commands(LazyGroup):
    """All commands of the program."""

    lazy = COMMANDS


def load(name: str) -> TyperGroup | TyperCommand:
    """Import a command with all that are below it."""
    return load_whole(name, COMMANDS[name])


def _print_version(*, wanted: bool) -> None:
    if wanted:
        print_text(f"clawback {build_id()}")
        raise typer.Exit


def _program(
    context: typer.Context,
    *,
    installation: Annotated[
        str | None,
        typer.Option(help="Name of the installation, where this machine has several."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Respond to phishing that Cloudflare Email Security finds after delivery."""
    if installation is not None:
        enter_installation(installation, creates=context.invoked_subcommand == "up")


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; an error is one message on stderr."""
    app = typer.Typer(
        cls=Commands,
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
        case SettingsError() | SecretUnreadable():
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
