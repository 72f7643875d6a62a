"""Blocks and policies of ours at the API, as the last reconciliation found them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from temporalio.client import Client

from clawback.doctor.check import Finding, ok, warning
from clawback.model.reconciliation import PolicyState, Reconciliation
from clawback.temporal.data_converter import PayloadRefused
from clawback.temporal.reconciliation_gateway import EVERY, ReconciliationGateway

_NAME = "own policies"
_RECONCILE = "run `clawback block reconcile`"
_LATE = 2 * EVERY


async def check_policies(client: Client) -> Iterable[Finding]:
    """Check that every entry of ours ends some day, and that no list was left unread."""
    try:
        last = await ReconciliationGateway(client).read_last()
    except PayloadRefused:
        return []  # the check of the guard names the key that is missing
    if last is None:
        return [warning(_NAME, "they were never compared with the account", _RECONCILE)]

    age = datetime.now(UTC) - last.at
    if age > _LATE:
        found = f"they were last compared with the account at {last.at:%Y-%m-%d %H:%M} UTC"
        return [warning(_NAME, found, _RECONCILE)]
    return list(_find_problems(last)) or [_describe(last)]


def _find_problems(last: Reconciliation) -> Iterable[Finding]:
    if unmanaged := last.count(PolicyState.UNMANAGED):
        found = f"nothing ends {unmanaged:,} of our blocks and policies"
        yield warning(_NAME, found, f"{_RECONCILE}: in shadow mode nothing is adopted by itself")
    if changed := last.count(PolicyState.CHANGED):
        found = f"{changed:,} of our blocks and policies were edited by somebody"
        remedy = "`clawback block reconcile --dry-run` names them; clawback leaves them to you"
        yield warning(_NAME, found, remedy)
    if last.unread:
        found = f"lists that could not be read: {', '.join(last.unread)}"
        yield warning(_NAME, found, "give the token Cloud Email Security: Read")
    if last.left:
        yield warning(_NAME, f"{last.left:,} are left for the next reconciliation", _RECONCILE)


def _describe(last: Reconciliation) -> Finding:
    known = last.count(PolicyState.KNOWN) + last.count(PolicyState.ADOPTED)
    return ok(_NAME, f"each of {known:,} that should end has a workflow that ends it")
