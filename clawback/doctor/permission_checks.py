"""What the token may do, tested without changing anything: small reads, and writes to unknown ids.

No finding if the token is invalid or nothing responds; `check_cloudflare` reports that.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from clawback.cloudflare import (
    ApiError,
    EmailSecurity,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Share,
    UnreadableResponse,
)
from clawback.doctor.check import Finding, ok, problem
from clawback.local.account_check import open_account
from clawback.local.installation import Installation
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.settings import Settings

Probe = Callable[[EmailSecurity], Awaitable[Any]]


def _window() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"start": now - timedelta(minutes=1), "end": now}


READS: Mapping[str, Probe] = {
    "messages": lambda api: api.messages(**_window(), per_page=1),
    "PhishGuard reports": lambda api: api.phishguard_reports(**_window(), per_page=1),
    "submissions": lambda api: api.submissions(**_window(), per_page=1),
    "block senders": lambda api: api.settings.block_senders.list(per_page=1),
    "domains": lambda api: api.settings.domains.list(per_page=1),
}
"""What polling, joining and the never-block list read."""

WRITES: Mapping[str, Probe] = {
    "move messages": lambda api: api.move_one(f"clawback-doctor-{uuid4()}", Destination.INBOX),
    "change policies": lambda api: api.settings.block_senders.edit(str(uuid4()), comments=""),
}
"""What actions write, sent to unknown ids: with the permission, the API answers 404."""


async def check_permissions(settings: Settings, installation: Installation) -> Iterable[Finding]:
    """Try each kind of read and write."""
    has_credentials = settings.cloudflare_api_token and settings.cloudflare_account_id
    if installation.simulator_port is not None or not has_credentials:
        return []

    with suppress(ApiError, ValueError):
        async with open_account(settings) as api:
            return await permission_findings(api.on(Share.PEOPLE), settings.ceiling)

    return []


async def permission_findings(api: EmailSecurity, ceiling: Mode) -> list[Finding]:
    """Report what the token may and may not do; shadow mode needs read access only.

    Raises:
        ApiError: the token is invalid, or nothing responds.

    """
    if not await _is_allowed(READS["messages"], api):
        return []
    reads = {name: await _is_allowed(probe, api) for name, probe in READS.items()}
    writes = {name: await _is_allowed(probe, api) for name, probe in WRITES.items()}
    return [_read_finding(reads), _write_finding(writes, ceiling)]


async def _is_allowed(probe: Probe, api: EmailSecurity) -> bool:
    try:
        await probe(api)
    except PermissionDenied:
        return False
    except (NotFound, InvalidRequest, UnreadableResponse):
        return True  # the request passed the permission check, which is all that matters

    return True


def _read_finding(reads: Mapping[str, bool]) -> Finding:
    if missing := [name for name, is_allowed in reads.items() if not is_allowed]:
        found = f"the token may not read {', '.join(missing)}"
        remedy = (
            "give it Cloud Email Security: Read, and check that the account has the product; "
            "what cannot be read is not acted on"
        )
        return problem("permission to read", found, remedy)

    return ok("permission to read", f"the token may read {', '.join(reads)}")


def _write_finding(writes: Mapping[str, bool], ceiling: Mode) -> Finding:
    missing = [name for name, is_allowed in writes.items() if not is_allowed]
    if not missing:
        return ok("permission to act", f"the token may {', '.join(writes)}")

    found = f"the token may not {', '.join(missing)}"
    if ceiling is Mode.SHADOW:
        return ok("permission to act", f"{found}, which shadow mode does not need")

    remedy = "give it Cloud Email Security: Write, or set CLAWBACK_MODE=shadow"
    return problem("permission to act", f"{found}, and the mode is {ceiling}", remedy)
