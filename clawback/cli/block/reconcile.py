"""`clawback block reconcile`: compare our marks at the API with what this installation knows of."""

from typing import Annotated

import typer
from temporalio.client import Client

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_table, print_text, show_progress
from clawback.cli.temporal_access import call_temporal
from clawback.model.orders import Verb
from clawback.model.reconciliation import (
    PolicyState,
    ReconciledPolicy,
    Reconciliation,
)
from clawback.model.texts import printable
from clawback.temporal.reconciliation_gateway import ReconciliationGateway

_COLUMNS = ("state", "what", "list", "rule", "ends", "id", "case")
_DROP_FIRST = ("case", "id", "list", "rule")
_STYLES = {"adopted": "green", "changed": "yellow", "gone": "dim", "unmanaged": "yellow"}


def reconcile(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be adopted or closed.")
    ] = False,
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Adopt blocks and policies of ours that nothing would end.

    Compares the policy lists of the account with what this installation knows of, as a worker does
    at start and daily. What people have edited is shown and left alone; what is gone is closed.

    Exit code 1 if a list could not be read.
    """
    actor = None if dry_run else require_actor(Verb.RECONCILE, by)

    async def run(client: Client) -> Reconciliation:
        gateway = ReconciliationGateway(client)
        return await (gateway.look() if actor is None else gateway.run(actor, reason))

    with show_progress("Reconciling"):
        found = call_temporal(run)

    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print_found(found)
    return ExitCode.NO if found.unread else ExitCode.OK


def _print_found(found: Reconciliation) -> None:
    if found.named:
        rows = [_row(one) for one in found.named]
        print_table(_COLUMNS, rows, drop_first=_DROP_FIRST, styles=_STYLES)

    would = "Would be: " if found.dry_run else ""
    done = ", ".join(
        f"{found.count(state):,} {state}"
        for state in (PolicyState.ADOPTED, PolicyState.GONE, PolicyState.CHANGED, PolicyState.KNOWN)
    )
    print_text(f"{would}{done}.")
    for resource, error in found.unread.items():
        print_text(f"The list {resource} could not be read: {error}.")
    if found.left:
        print_text(f"Left for the next run: {found.left:,}.")


def _row(one: ReconciledPolicy) -> tuple[str, ...]:
    ends = f"{one.expires_at:%Y-%m-%d %H:%M}" if one.expires_at else ""
    return (one.state, printable(one.label), one.resource, one.rule, ends, one.id, one.case)
