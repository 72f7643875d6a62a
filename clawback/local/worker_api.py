"""The client of the API that the worker here uses: the account's, or the simulator's."""

from clawback.cloudflare import EmailSecurity
from clawback.local.installation import plan_installation
from clawback.outbound_http import NetworkSettingsError
from clawback.settings import Settings


class NoCredentials(ValueError):
    """The settings have no credentials of an account, or they have the wrong form."""


def open_account_api(settings: Settings) -> EmailSecurity:
    """Build the client of the account in the settings.

    Raises:
        NoCredentials: there are none, or they have the wrong form.
        NetworkSettingsError: proxy or certificates of the environment are unusable.

    """
    token, account = settings.cloudflare_api_token, settings.cloudflare_account_id
    if token is None or not account:
        raise NoCredentials(
            "this command reads from the API: set CLOUDFLARE_API_TOKEN (Read is enough) and "
            "CLOUDFLARE_ACCOUNT_ID, or start the demo of clawback up"
        )

    try:
        return EmailSecurity(url=settings.api_url, account_id=account, token=token)
    except NetworkSettingsError:
        raise
    except ValueError as error:
        raise NoCredentials(f"cannot use the credentials: {error}") from None


def open_worker_api(settings: Settings) -> EmailSecurity:
    """Build a client of the API that the worker here uses: the account's or the simulator's.

    Raises:
        NoCredentials: the credentials have the wrong form.

    """
    if settings.cloudflare_api_token is not None:
        return open_account_api(settings)

    placeholder = "simulator"  # it takes any account and token
    return EmailSecurity(
        url=plan_installation(settings).api_url,
        account_id=settings.cloudflare_account_id or placeholder,
        token=placeholder,
    )
