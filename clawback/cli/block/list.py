"""`clawback block list`: the active blocks, and whether each is unchanged at the API."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from temporalio.client import Client

from clawback.cli.block.lookup import Forbidden, describe_block, find_blocks, read_policies
from clawback.cli.exits import ExitCode
from clawback.cli.output import (
    AsJson,
    print_json,
    print_status,
    print_table,
    print_text,
    show_progress,
)
from clawback.cli.rule_names import require_loaded_rule
from clawback.cli.temporal_access import call_temporal
from clawback.cloudflare import BlockedSender
from clawback.inventory.block_states import compare_block
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway

SHOWN = 200
"""How many blocks the table has unless more are asked for."""
_COLUMNS = ("pattern", "kind", "rule", "made", "ends", "claims", "now", "id", "case")
_DROP_FIRST = ("case", "made", "id", "kind", "rule")
_STYLES = {"ours": "green", "changed": "yellow", "gone": "dim", "unknown": "dim"}


def list_blocks(
    *,
    rule: Annotated[
        str | None, typer.Option(help="Only blocks that this rule created or claims.")
    ] = None,
    forbidden: Forbidden = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=f"Show the first to expire; 0 shows all. Default {SHOWN}, with --json all.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """List active blocks, the first to expire on top.

    The column `claims` shows whose claims keep a block: rules, and people who extended it. A block
    stands until the latest end that any of them wants.

    In the column `now`: ours (unchanged), changed (edited by somebody), gone (removed), or unknown
    (the API is unavailable).
    """

    async def read(
        client: Client,
    ) -> tuple[list[ActiveBlock], Mapping[str, BlockedSender] | None]:
        blocks = await find_blocks(BlockGateway(client), rule=rule, forbidden=forbidden)
        return blocks, await read_policies() if blocks else None

    with show_progress("Reading blocks"):
        blocks, policies = call_temporal(read)

    if not blocks:
        require_loaded_rule(rule)
    most = (0 if as_json else SHOWN) if limit is None else limit
    shown = blocks[:most] if most else blocks
    rows = [{**describe_block(block), "now": compare_block(block, policies)} for block in shown]

    if as_json:
        print_json(rows)
    elif rows:
        print_table(_COLUMNS, list(map(_row, rows)), drop_first=_DROP_FIRST, styles=_STYLES)
    else:
        print_text("No such block.")

    if len(shown) < len(blocks):
        print_status(f"The first {most:,} of {len(blocks):,} to expire; --limit 0 shows all.")
    return ExitCode.OK


def _row(block: Mapping[str, Any]) -> Sequence[str]:
    times = (datetime.fromisoformat(block[name]) for name in ("made_at", "ends_at"))
    made, ends = (f"{at:%Y-%m-%d %H:%M}" for at in times)
    what = (block["pattern"] or block["id"], block["kind"] or "?", block["rule"])
    return (*what, made, ends, _claims(block), block["now"], block["id"], block["case"])


def _claims(block: Mapping[str, Any]) -> str:
    claims = [
        f"{one['by'] or one['rule']} {datetime.fromisoformat(one['ends_at']):%Y-%m-%d}"
        for one in block["claims"]
    ]
    if others := block["other_claims"]:
        claims.append(f"{others:,} others")
    return ", ".join(claims)
