"""Asks Cloudflare one thing before anything starts: whether the token is good and may read what polling reads."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clawback.cloudflare import ApiError, Budget, EmailSecurity, NotPermitted, Refused, Unauthenticated
from clawback.settings import Settings

PATIENCE = timedelta(seconds=10)


class AccountRefused(RuntimeError):
    """Cloudflare refuses the token, or what polling asks; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: a warning where Cloudflare could not be asked now, otherwise what its answer told of the rate limit."""

    warning: str | None = None
    budget: Budget | None = None


async def check_account(settings: Settings) -> str | None:
    """Search for one message, as polling will. Gives a warning where Cloudflare could not be asked now.

    Raises:
        AccountRefused: the token is wrong or lacks a permission, or the account is not right.

    """
    return (await ask_account(settings)).warning


async def ask_account(settings: Settings) -> Asked:
    """Search for one message, as polling will.

    Raises:
        AccountRefused: the token is wrong or lacks a permission, or the account is not right.

    """
    token, account = settings.cloudflare_api_token, settings.cloudflare_account_id
    if token is None or not account:
        raise AccountRefused("CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID go together; set both, or neither to use the simulator")
    now = datetime.now(UTC)
    try:
        async with EmailSecurity(url=settings.api_url, account_id=account, token=token, timeout=PATIENCE) as api:
            await api.messages(start=now - timedelta(minutes=1), end=now, per_page=1)
            return Asked(budget=api.budget)
    except Unauthenticated:
        raise AccountRefused(
            "Cloudflare does not know the token in CLOUDFLARE_API_TOKEN; it is wrong, expired or deleted: set another"
        ) from None
    except NotPermitted:
        raise AccountRefused(
            f"the token in CLOUDFLARE_API_TOKEN may not read the Email Security of account {account}; "
            "give it the permission Cloud Email Security (Read, and Write to act), or set CLOUDFLARE_ACCOUNT_ID to its account"
        ) from None
    except Refused as error:
        raise AccountRefused(f"Cloudflare refuses to search the account {account}: {error.text}; look at CLOUDFLARE_ACCOUNT_ID") from None
    except ValueError as error:
        raise AccountRefused(f"the credentials cannot be used: {error}; look at CLOUDFLARE_API_TOKEN and CLAWBACK_API_URL") from None
    except ApiError as error:
        return Asked(warning=f"Cloudflare cannot be asked now ({error.text}); polling goes on trying")
