"""`clawback case comment` and `clawback case assign`."""

from typing import Annotated

import typer

from clawback.cases.notes import AssignTo
from clawback.cli.acting import By, require_actor
from clawback.cli.case.lookup import CaseId, find_id
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.model.orders import Verb
from clawback.model.texts import printable
from clawback.temporal.case_gateway import CaseGateway


def comment(
    case_id: CaseId,
    text: Annotated[str, typer.Argument(help="What you want to tell others, at most 2,000 bytes.")],
    *,
    by: By = "",
    as_json: AsJson = False,
) -> int:
    """Comment on an open case. `clawback case show` prints the comments."""
    actor = require_actor(Verb.COMMENT, by)
    case = call_temporal(lambda client: find_id(client, case_id))
    number = call_temporal(lambda client: CaseGateway(client).comment(case, actor, text))
    if as_json:
        print_json({"case": case, "comment": number})
    else:
        print_text(f"{case} has your comment, number {number}.")
    return ExitCode.OK


def assign(
    case_id: CaseId,
    *,
    to: Annotated[
        str, typer.Option("--to", help="Who works on the case: me, a name, or nobody.")
    ] = "me",
    by: By = "",
    as_json: AsJson = False,
) -> int:
    """Say who works on an open case."""
    actor = require_actor(Verb.ASSIGN, by)
    case = call_temporal(lambda client: find_id(client, case_id))
    wanted = AssignTo(name="" if to in {"me", "nobody"} else to, is_self=to == "me")
    name = call_temporal(lambda client: CaseGateway(client).assign(case, actor, wanted))
    if as_json:
        print_json({"case": case, "assignee": name or None})
    else:
        print_text(f"{case} is assigned to {printable(name) or 'nobody'}.")
    return ExitCode.OK
