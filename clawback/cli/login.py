"""`clawback login`: sign in at the identity provider, with the device flow."""

import asyncio
from datetime import timedelta
from typing import NoReturn

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_status, print_text
from clawback.identity.configuration import client_settings
from clawback.identity.errors import IdentityError, ProviderUnavailable
from clawback.identity.exchange import open_http
from clawback.identity.oidc import ClientSettings, DeviceCode, OidcProvider
from clawback.identity.session import SessionStore, session_file
from clawback.model.durations import format_duration
from clawback.model.identity import Identity
from clawback.settings import load_settings


def login(*, as_json: AsJson = False) -> int:
    """Sign in, so that you may change something.

    Open the address that it prints in a browser, on any machine, and type the code.
    """
    try:
        identity = asyncio.run(_sign_in(client_settings(load_settings())))
    except IdentityError as error:
        _fail(error)

    roles = ", ".join(identity.roles) or "no role"
    if as_json:
        print_json(identity.model_dump(mode="json"))
    else:
        print_text(f"Signed in as {identity.label} ({roles}).")
    return ExitCode.OK


async def _sign_in(settings: ClientSettings) -> Identity:
    async with open_http() as http:
        provider = await OidcProvider.discover(http, settings)
        code = await provider.begin_device()
        _show(code)
        tokens = await provider.await_device(code)
        identity = await provider.identify(tokens.id_token)

    SessionStore(session_file()).save(settings.issuer, settings.client_id, tokens)
    return identity


def _show(code: DeviceCode) -> None:
    print_status(f"Open {code.verification_uri} and type {code.user_code}")
    if code.complete_uri:
        print_status(f"or open {code.complete_uri}")
    left = format_duration(timedelta(seconds=code.expires_in))
    print_status(f"Only type it if you have just run this command. Waiting for {left} …")


def _fail(error: IdentityError) -> NoReturn:
    is_away = isinstance(error, ProviderUnavailable)
    raise Failure(str(error), ExitCode.ENVIRONMENT if is_away else ExitCode.NO) from error
