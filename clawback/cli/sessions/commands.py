"""The commands of `clawback sessions`. Sessions are cookies, so only revocations are listed."""

from typing import Annotated

import typer

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_status, print_table, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.model.orders import Verb
from clawback.temporal.access_gateway import AccessGateway

_COLUMNS = ("person", "sessions begun until", "revoked by", "reason")


def revoke(
    person: Annotated[
        str,
        typer.Argument(
            help="Name, subject at the provider, or id, as the audit has it.", show_default=False
        ),
    ],
    *,
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Revoke all console sessions that a person has now.

    Every console refuses them ten seconds later. The person can sign in again after a minute: to
    keep them out, take their role away at the identity provider first.
    """
    actor = require_actor(Verb.REVOKE_PERSON, by)
    revoked = call_temporal(
        lambda client: AccessGateway(client).revoke_person(person, actor, reason)
    )
    if as_json:
        print_json(revoked.model_dump(mode="json"))
        return ExitCode.OK
    print_text(f"The sessions of {revoked.who} that began until {revoked.at:%T} UTC are revoked.")
    print_status("To keep them out, take their role away at the identity provider too.")
    return ExitCode.OK


def list_revoked(*, as_json: AsJson = False) -> int:
    """List whose sessions were revoked in the last day."""
    view = call_temporal(lambda client: AccessGateway(client).look())
    people = () if view is None else view.snapshot.people
    if as_json:
        print_json([one.model_dump(mode="json") for one in people])
    elif people:
        rows = [(one.who, f"{one.at:%F %T}", one.by, one.reason) for one in people]
        print_table(_COLUMNS, rows)
    else:
        print_text("No sessions were revoked in the last day.")
    return ExitCode.OK
