"""Asks Cloudflare one thing before anything starts.

Whether the token is good and may read what polling reads.
"""

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
)
from clawback.settings import Settings

PATIENCE = timedelta(seconds=10)


class AccountRefused(RuntimeError):
    """Cloudflare refuses the token, or what polling asks; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: what its answer told of the rate limit, or a warning where Cloudflare could not be asked now.

    `blocked_for` says that it could not because the rate limit is exceeded.
    """

    warning: str | None = None
    budget: RateLimitStatus | None = None
    blocked_for: timedelta | None = None


async def check_account(settings: Settings) -> str | None:
    """Search for one message, as polling will.

    Gives a warning where Cloudflare could not be asked now.

    Raises:
        AccountRefused: the token is wrong or lacks a permission, or the account is not right.

    """
    return (await ask_account(settings)).warning


def open_account(settings: Settings) -> EmailSecurity:
    """Build a client of the account in the settings that does not wait long.

    Raises:
        ValueError: the credentials cannot be used.

    """
    token, account = settings.cloudflare_api_token or "", settings.cloudflare_account_id or ""
    return EmailSecurity(url=settings.api_url, account_id=account, token=token, timeout=PATIENCE)


async def ask_account(settings: Settings) -> Asked:
    """Search for one message, as polling will.

    Raises:
        AccountRefused: the token is wrong or lacks a permission, or the account is not right.

    """
    token, account = settings.cloudflare_api_token, settings.cloudflare_account_id
    if token is None or not account:
        raise AccountRefused(
            "CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID go together; set both, or neither to use the simulator"
        )
    now = datetime.now(UTC)
    try:
        async with open_account(settings) as api:
            await api.messages(start=now - timedelta(minutes=1), end=now, per_page=1)
            return Asked(budget=api.rate_limit)
    except Unauthenticated:
        raise AccountRefused(
            "Cloudflare does not know the token in CLOUDFLARE_API_TOKEN; it is wrong, expired or deleted: set another"
        ) from None
    except PermissionDenied:
        raise AccountRefused(
            f"the token in CLOUDFLARE_API_TOKEN may not read the Email Security of account {account}; "
            "give it the permission Cloud Email Security (Read, and Write to act), or set CLOUDFLARE_ACCOUNT_ID to its account"
        ) from None
    except ClientError as error:
        raise AccountRefused(
            f"Cloudflare refuses to search the account {account}: {error.text}; look at CLOUDFLARE_ACCOUNT_ID"
        ) from None
    except ValueError as error:
        raise AccountRefused(
            f"the credentials cannot be used: {error}; look at CLOUDFLARE_API_TOKEN and CLAWBACK_API_URL"
        ) from None
    except RateLimited as error:
        seconds = f"{error.retry_after.total_seconds():.0f} s"
        return Asked(
            f"Cloudflare blocks all requests of this token or user for {seconds}; polling waits",
            blocked_for=error.retry_after,
        )
    except ApiError as error:
        return Asked(
            f"Cloudflare cannot be asked now ({error.text}); polling goes on trying: "
            "look at the network, the proxy in HTTPS_PROXY and CLAWBACK_API_URL"
        )
