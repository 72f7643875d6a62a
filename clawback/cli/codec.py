"""`clawback codec`: let the Temporal UI show payloads to people who signed in."""

import asyncio
from typing import Annotated

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.interrupts import run_interruptible
from clawback.cli.output import print_text
from clawback.codec import CodecServer, ui_origins
from clawback.codec.sign_in import Links, build_gate
from clawback.identity.bearer import BearerTokens
from clawback.identity.configuration import bearer_tokens
from clawback.identity.errors import IdentityError
from clawback.model.hosts import split_address
from clawback.settings import Settings, load_settings
from clawback.telemetry.logs import configure_logging
from clawback.temporal.client import chosen_namespace, read_live_keys
from clawback.temporal.key_ring import PayloadKeyError
from clawback.temporal.live_keys import LiveKeys

_STOP_TIMEOUT = 3.0


def codec(
    *,
    link: Annotated[
        bool,
        typer.Option("--link", help="Print a link that signs a browser in, once, and exit."),
    ] = False,
) -> int:
    """Serve the Temporal UI with decrypted payloads until Ctrl-C.

    They are shown to people whose token the UI passes, if an identity provider is set, to your own
    user of this machine, and to browsers that opened a link. `up` runs it for its own server.
    """
    settings = load_settings()
    keys = _require_keys(settings)
    host, port = split_address(settings.codec)
    if link:
        print_text(f"http://{settings.codec}/sign-in?link={Links(keys.ring).create()}")
        return ExitCode.OK

    configure_logging(settings.log_format, settings.log_level)
    gate = build_gate(keys.ring, _read_tokens(settings))
    server = CodecServer(keys, ui_origins(settings), chosen_namespace(), gate)
    try:
        asyncio.run(run_interruptible(_serve(server, host, port), _STOP_TIMEOUT))
    except asyncio.CancelledError:
        return ExitCode.OK
    except OSError as error:
        message = f"cannot use {settings.codec}: {error.strerror}; free it or set CLAWBACK_CODEC"
        raise Failure(message, ExitCode.ENVIRONMENT) from error
    return ExitCode.OK


async def _serve(server: CodecServer, host: str, port: int) -> None:
    async with server.serve(host, port) as url:
        print_text(f"codec server at {url}; `clawback codec --link` signs another browser in")
        await asyncio.Event().wait()


def _read_tokens(settings: Settings) -> BearerTokens | None:
    try:
        return bearer_tokens(settings)
    except IdentityError as error:
        raise Failure(str(error), ExitCode.USAGE) from error


def _require_keys(settings: Settings) -> LiveKeys:
    try:
        keys = read_live_keys(settings)
    except PayloadKeyError as error:
        raise Failure(str(error), ExitCode.USAGE) from error
    if keys is None:
        raise Failure("no key is set, so there is nothing to decrypt", ExitCode.NO)
    return keys
