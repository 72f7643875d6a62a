"""Checks with one request whether the token is valid and may read what polling reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clawback.cloudflare import (
    ApiError,
    ClientError,
    EmailSecurity,
    PermissionDenied,
    RateLimited,
    RateLimitStatus,
    Unauthenticated,
    Unavailable,
)
from clawback.model.intermediary import Intermediary
from clawback.outbound_http import NetworkSettingsError
from clawback.settings import Settings

TIMEOUT = timedelta(seconds=10)


class AccountRefused(RuntimeError):
    """Cloudflare rejects the token or the request; the text says what to do."""


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """What the check found.

    `rate_limit` is what the response reported. `warning` says why Cloudflare could not be asked
    now; `blocked_for` that the rate limit was the reason, and for how long.
    """

    rate_limit: RateLimitStatus | None = None
    warning: str | None = None
    blocked_for: timedelta | None = None


def open_account(settings: Settings) -> EmailSecurity:
    """Build a client of the account in the settings, with a short timeout.

    Raises:
        ValueError: the credentials are unusable.

    """
    token, account = settings.cloudflare_api_token or "", settings.cloudflare_account_id or ""
    return EmailSecurity(url=settings.api_url, account_id=account, token=token, timeout=TIMEOUT)


async def check_account(settings: Settings) -> AccountStatus:
    """Search for one message, as polling does.

    Raises:
        AccountRefused: the token is wrong or lacks a permission, or the account is wrong.

    """
    account = settings.cloudflare_account_id
    if settings.cloudflare_api_token is None or not account:
        raise AccountRefused(
            "CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID belong together; "
            "set both, or neither to use the simulator"
        )

    try:
        return await _search(settings)
    except NetworkSettingsError as error:
        raise AccountRefused(str(error)) from None
    except (ClientError, ValueError) as error:
        raise AccountRefused(_explain(error, account)) from None
    except RateLimited as error:
        seconds = f"{error.retry_after.total_seconds():.0f} s"
        return AccountStatus(
            warning=f"Cloudflare blocks all requests of this token or user for {seconds}; "
            "polling waits",
            blocked_for=error.retry_after,
        )
    except ApiError as error:
        return AccountStatus(warning=_warn(error))


async def _search(settings: Settings) -> AccountStatus:
    now = datetime.now(UTC)
    async with open_account(settings) as api:
        await api.messages(start=now - timedelta(minutes=1), end=now, per_page=1)
        return AccountStatus(rate_limit=api.rate_limit)


def _warn(error: ApiError) -> str:
    intermediary = error.intermediary if isinstance(error, Unavailable) else None
    if intermediary is None:
        return (
            f"Cloudflare does not respond ({error.text}); polling keeps trying: "
            "check the network, the proxy in HTTPS_PROXY and CLAWBACK_API_URL"
        )

    return (
        f"the API was not reached ({error.text}); polling and actions keep trying: "
        f"{_REMEDIES[intermediary]}"
    )


_REMEDIES: Mapping[Intermediary, str] = {
    Intermediary.CHALLENGE: "Cloudflare's edge challenges or blocks the address of this machine: "
    "send requests from another address, or ask Cloudflare with the ray id of the response",
    Intermediary.PROXY: "check user, password and filter of the proxy in HTTPS_PROXY",
    Intermediary.REDIRECT: "sign this network in, or let api.cloudflare.com pass without sign-in",
    Intermediary.OTHER: "check CLAWBACK_API_URL, and let filters and gateways of this network pass "
    "api.cloudflare.com",
}


def _explain(error: ClientError | ValueError, account: str) -> str:
    match error:
        case Unauthenticated():
            return (
                "Cloudflare does not know the token in CLOUDFLARE_API_TOKEN; "
                "it is wrong, expired or deleted: set another"
            )
        case PermissionDenied():
            return (
                f"the token in CLOUDFLARE_API_TOKEN may not read Email Security of account "
                f"{account}; give it the permission Cloud Email Security (Read, and Write to act), "
                "or set CLOUDFLARE_ACCOUNT_ID to its account"
            )
        case ClientError():
            return (
                f"Cloudflare refuses to search the account {account}: {error.text}; "
                "check CLOUDFLARE_ACCOUNT_ID"
            )
        case _:
            return (
                f"the credentials are unusable: {error}; "
                "check CLOUDFLARE_API_TOKEN and CLAWBACK_API_URL"
            )
