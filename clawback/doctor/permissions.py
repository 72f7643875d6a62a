"""What the token may do, one kind of thing at a time, asked so that nothing changes.

Reads of one record, writes to what does not exist.

Nothing is said where the token is not known or nobody answers: `check_cloudflare` says that.
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
"""What actions do, to an id that there is not: whoever may do it is told that there is none."""


async def check_permissions(settings: Settings, installation: Installation) -> Iterable[Finding]:
    """Try each kind of read and write."""
    if (
        installation.simulator_port is not None
        or settings.cloudflare_api_token is None
        or not settings.cloudflare_account_id
    ):
        return []
    with suppress(ApiError, ValueError):
        async with open_account(settings) as api:
            return await permission_findings(api.on(Share.PEOPLE), settings.ceiling)
    return []


async def permission_findings(api: EmailSecurity, ceiling: Mode) -> list[Finding]:
    """Say what the token may and may not do; a token that may only read is enough for shadow.

    Raises:
        ApiError: the token is not known, or nobody answers.

    """
    if not await _may(READS["messages"], api):
        return []
    reads = {name: await _may(probe, api) for name, probe in READS.items()}
    writes = {name: await _may(probe, api) for name, probe in WRITES.items()}
    return [_reading(reads), _acting(writes, ceiling)]


async def _may(probe: Probe, api: EmailSecurity) -> bool:
    try:
        await probe(api)
    except PermissionDenied:
        return False
    except (NotFound, InvalidRequest, UnreadableResponse):
        return True  # it was looked at, which is all that was asked
    return True


def _reading(reads: Mapping[str, bool]) -> Finding:
    if missing := [name for name, may in reads.items() if not may]:
        remedy = "give it Cloud Email Security: Read, and see that the account has the product; what cannot be read is not acted on"
        return problem("permission to read", f"the token may not read {', '.join(missing)}", remedy)
    return ok("permission to read", f"the token may read {', '.join(reads)}")


def _acting(writes: Mapping[str, bool], ceiling: Mode) -> Finding:
    missing = [name for name, may in writes.items() if not may]
    if not missing:
        return ok("permission to act", f"the token may {', '.join(writes)}")
    said = f"the token may not {', '.join(missing)}"
    if ceiling is Mode.SHADOW:
        return ok("permission to act", f"{said}; in shadow it need not")
    return problem(
        "permission to act",
        f"{said}, and the mode is {ceiling}",
        "give it Cloud Email Security: Write, or set CLAWBACK_MODE=shadow",
    )
