"""Access to Cloudflare for commands: build the client, turn its errors into messages."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import print_error
from clawback.cli.rule_folders import load_folder
from clawback.cloudflare import ApiError, ClientError, EmailSecurity, NotFound, account_domains
from clawback.local import worker_api
from clawback.local.temporal_server import HOST
from clawback.rules.source.safety import Safety
from clawback.settings import Settings

_PROBE = 2.0  # seconds


def open_account_api(settings: Settings) -> EmailSecurity:
    """Build the client of the account in the settings.

    Raises:
        Failure: there are no credentials, or they have the wrong form.

    """
    with _credential_errors():
        return worker_api.open_account_api(settings)


def open_history_api(settings: Settings) -> EmailSecurity:
    """Build a client of the API whose mail is to be read: the account's, or a demo's that runs.

    Raises:
        Failure: there are neither credentials nor a demo, or they have the wrong form.

    """
    if settings.cloudflare_api_token is None and _is_listening(settings.simulator_port):
        return open_worker_api(settings)
    return open_account_api(settings)


def _is_listening(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), _PROBE):
            return True
    except OSError:
        return False


def open_worker_api(settings: Settings) -> EmailSecurity:
    """Build a client of the API that the worker here uses: the account's or the simulator's.

    Raises:
        Failure: the credentials have the wrong form.

    """
    with _credential_errors():
        return worker_api.open_worker_api(settings)


@contextmanager
def _credential_errors() -> Iterator[None]:
    try:
        yield
    except worker_api.NoCredentials as error:
        raise Failure(str(error), ExitCode.USAGE) from None


@contextmanager
def api_errors(kind: str = "message") -> Iterator[None]:
    """Turn errors of the client into messages and exit codes; `kind` is what is asked for.

    Raises:
        Failure: there is no such id (1), Cloudflare refused (4), or cannot be reached (3).

    """
    try:
        yield
    except NotFound as error:
        raise Failure(f"Cloudflare has no such {kind}: {error}", ExitCode.NO) from error
    except ClientError as error:
        raise Failure(f"Cloudflare refused the request: {error}", ExitCode.REFUSED) from error
    except ApiError as error:
        raise Failure(f"Cloudflare is unavailable: {error}", ExitCode.ENVIRONMENT) from error


async def read_safety(api: EmailSecurity, settings: Settings) -> Safety:
    """Read safety.yml with the domains of the account on the never-block list.

    If the domains cannot be read, it warns and returns safety.yml alone.
    """
    safety = load_folder(settings.rules).safety
    try:
        return safety.with_own_domains(await account_domains(api.settings.domains))
    except ApiError as error:
        print_error(f"cannot read the domains of the account, using safety.yml alone: {error}")
        return safety
