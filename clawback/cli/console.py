"""`clawback console`: serve the web console, or print a link that signs a browser in."""

import asyncio
from typing import Annotated

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.interrupts import run_interruptible
from clawback.cli.output import print_text
from clawback.identity.errors import IdentityError
from clawback.malloc_arenas import share_one_arena
from clawback.settings import Settings, load_settings
from clawback.telemetry.logs import configure_logging
from clawback.temporal.account_binding import ForeignAccount
from clawback.temporal.client import TemporalUnreachable
from clawback.temporal.key_ring import PayloadKeyError

_STOP_TIMEOUT = 5.0


def console(
    *,
    link: Annotated[
        bool,
        typer.Option("--link", help="Print a link that signs a browser in, once, and exit."),
    ] = False,
) -> int:
    """Serve the web console in the foreground.

    It listens at CLAWBACK_CONSOLE. People sign in at the identity provider; without one it is for
    this machine alone, and a link signs a browser in. `up` runs it too.
    """
    settings = load_settings()
    try:
        return _print_link(settings) if link else _serve(settings)
    except TemporalUnreachable as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error
    except (ForeignAccount, IdentityError, PayloadKeyError) as error:
        raise Failure(str(error), ExitCode.USAGE) from error
    except OSError as error:
        message = (
            f"cannot use {settings.console}: {error.strerror}; free it or set CLAWBACK_CONSOLE"
        )
        raise Failure(message, ExitCode.ENVIRONMENT) from error


def _print_link(settings: Settings) -> int:
    # Starlette and the pages take half a second to import, and a wrong option needs none of them.
    from clawback.console.launch import make_sign_in_link  # noqa: PLC0415 - see above

    url = make_sign_in_link(settings)
    if url is None:
        raise Failure("there is no such link here: sign in at the console", ExitCode.NO)
    print_text(url)
    return ExitCode.OK


def _serve(settings: Settings) -> int:
    from clawback.console.launch import run_console  # noqa: PLC0415 - see above

    share_one_arena()
    configure_logging(settings.log_format, settings.log_level)
    try:
        asyncio.run(run_interruptible(run_console(settings, print_text), _STOP_TIMEOUT))
    except asyncio.CancelledError:
        return ExitCode.OK
    return ExitCode.OK
