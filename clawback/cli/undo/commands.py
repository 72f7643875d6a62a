"""The commands of `clawback undo`: they differ in what they undo."""

from typing import Annotated

import typer

from clawback.cases.undo_plan import UndoScope
from clawback.cli.acting import By, Reason, require_role
from clawback.cli.arguments import Yes, parse_time_argument
from clawback.cli.case.lookup import CaseId, find_id
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson
from clawback.cli.temporal_access import call_temporal
from clawback.cli.undo.run import UndoRequest, run_undo
from clawback.identity.permission import role_to_undo
from clawback.model.identity import Actor
from clawback.model.orders import Verb

Since = Annotated[
    str, typer.Option("--since", help="Only actions since a time, or an age such as 2h.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be undone.")]


def undo_since(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    since: Since = "",
    by: By = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Undo everything since a time: `clawback undo --since 2h`."""
    if context.invoked_subcommand is not None:
        if since or reason or dry_run or yes or as_json:
            raise Failure(f"put the options after {context.invoked_subcommand}", ExitCode.USAGE)
        return ExitCode.OK
    if not since:
        raise Failure(
            "say what to undo: case ID, rule NAME, message ID, or --since TIME", ExitCode.USAGE
        )

    actor = _actor(by, dry_run=dry_run, is_wide=True)
    return run_undo(UndoRequest(_scope(actor, reason, since), dry_run, yes, as_json))


def undo_case(  # noqa: PLR0913 - the options of a command
    case_id: CaseId,
    *,
    since: Since = "",
    by: By = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Undo all actions of a case; an open case ends."""
    scope = _scope(_actor(by, dry_run=dry_run), reason, since)
    case = call_temporal(lambda client: find_id(client, case_id))
    return run_undo(UndoRequest(scope, dry_run, yes, as_json, case=case))


def undo_rule(  # noqa: PLR0913 - the options of a command
    name: Annotated[str, typer.Argument(help="Name of the rule.")],
    *,
    since: Since = "",
    by: By = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Undo the actions of all cases of a rule.

    New cases of the rule are held until `clawback rules confirm NAME`.
    """
    actor = _actor(by, dry_run=dry_run, is_wide=True)
    return run_undo(UndoRequest(_scope(actor, reason, since), dry_run, yes, as_json, rule=name))


def undo_message(  # noqa: PLR0913 - the options of a command
    message_id: Annotated[str, typer.Argument(help="Investigate id of the message.")],
    *,
    by: By = "",
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Undo the actions on one message; its case continues."""
    scope = UndoScope(actor=_actor(by, dry_run=dry_run), reason=reason, messages=(message_id,))
    return run_undo(UndoRequest(scope, dry_run, yes, as_json))


def _scope(actor: Actor, reason: str, since: str) -> UndoScope:
    start = parse_time_argument(since, "--since") if since else None
    return UndoScope(actor=actor, reason=reason, since=start)


def _actor(by: str, *, dry_run: bool, is_wide: bool = False) -> Actor:
    """Who undoes something; everybody may look at what would be undone."""
    return require_role(None if dry_run else role_to_undo(is_wide=is_wide), Verb.UNDO, by)
