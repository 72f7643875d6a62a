"""What the API shows of a change whose response was lost."""

import pytest

from clawback.cloudflare.operation_catalogue import OPERATIONS
from clawback.cloudflare.recovery import RecoveryResult, recovery_of
from tests.cloudflare.support import IID, START, always, envelope

_JUNK = {
    "operation": "MOVE",
    "completed_at": "2026-11-01T10:00:00Z",
    "properties": {"folder": "JunkEmail"},
}
_DELETED = {
    "operation": "MOVE",
    "completed_at": "2026-11-01T11:00:00Z",
    "properties": {"folder": "DeletedItems"},
}
_UNTIMED = {"operation": "MOVE", "properties": {"folder": "JunkEmail"}}


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ([_JUNK, _DELETED], RecoveryResult.DONE),
        ([_DELETED, _JUNK], RecoveryResult.DONE),
        ([_DELETED, _UNTIMED], RecoveryResult.DONE),
        ([_JUNK], RecoveryResult.NOT_DONE),
        ([], RecoveryResult.NOT_DONE),
    ],
)
async def test_the_newest_move_counts_in_whatever_order_the_log_comes(
    log: list[dict[str, object]], expected: RecoveryResult
) -> None:
    """The API documents no order of the action log, so the times of the entries decide."""
    recovery = recovery_of(next(one for one in OPERATIONS if one.name == "move"))
    assert recovery is not None
    arguments = {"ids": [IID], "destination": "DeletedItems"}

    async with always(envelope(log)) as api:
        assert await recovery.check(api, arguments, START) is expected
