"""How commands reach Cloudflare.

The client from the settings, and what its errors mean to a person.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from clawback.cli.exits import ExitCode, Failure
from clawback.cloudflare import ApiError, ClientError, EmailSecurity, NotFound
from clawback.local.installation import plan_installation
from clawback.settings import Settings


def open_api(settings: Settings) -> EmailSecurity:
    """Build the client of the account in the settings.

    Raises:
        Failure: there are no credentials, or they cannot be used.

    """
    token, account = settings.cloudflare_api_token, settings.cloudflare_account_id
    if token is None or not account:
        raise Failure(
            "CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID are not set; this reads from the API (Read is enough)",
            ExitCode.USAGE,
        )
    try:
        return EmailSecurity(url=settings.api_url, account_id=account, token=token)
    except ValueError as error:
        raise Failure(f"the credentials cannot be used: {error}", ExitCode.USAGE) from None


def open_own_api(settings: Settings) -> EmailSecurity:
    """Build the client of the API that the worker here uses.

    The account's, or without a token that of the simulator.

    Raises:
        Failure: the credentials cannot be used.

    """
    if settings.cloudflare_api_token is not None:
        return open_api(settings)
    nobody = "simulator"
    return EmailSecurity(
        url=plan_installation(settings).api_url,
        account_id=settings.cloudflare_account_id or nobody,
        token=nobody,
    )


@contextmanager
def api_errors(kind: str = "message") -> Iterator[None]:
    """Turn the errors of the client into sentences and exit codes; `kind` is what is asked for.

    Raises:
        Failure: the API refused (4), has no such id (1), or could not be asked (3).

    """
    try:
        yield
    except NotFound as error:
        raise Failure(f"Cloudflare has no such {kind} (any more): {error}", ExitCode.NO) from error
    except ClientError as error:
        raise Failure(f"Cloudflare refuses: {error}", ExitCode.REFUSED) from error
    except ApiError as error:
        raise Failure(f"Cloudflare cannot be asked now: {error}", ExitCode.ENVIRONMENT) from error
