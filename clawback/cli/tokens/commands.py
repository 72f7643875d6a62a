"""The commands of `clawback tokens`: each makes one call on the list of tokens."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.arguments import parse_duration_argument
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_status, print_table, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.identity.access_list import (
    DEFAULT_VALIDITY,
    LONGEST_NAME,
    LONGEST_VALIDITY,
    ApiToken,
    create_secret,
)
from clawback.model.durations import format_duration
from clawback.model.identity import Role
from clawback.model.orders import Verb
from clawback.temporal.access_gateway import AccessGateway

_COLUMNS = ("id", "name", "role", "state", "expires", "created by", "created")


def create(
    *,
    role: Annotated[
        Role, typer.Option("--role", help="What the token may do.", show_default=False)
    ],
    name: Annotated[
        str, typer.Option("--name", help="What it is for, as lists and the audit show it.")
    ] = "",
    expires: Annotated[
        str, typer.Option("--expires", help="How long it is valid, at most 1y.")
    ] = format_duration(DEFAULT_VALIDITY),
    by: By = "",
    as_json: AsJson = False,
) -> int:
    """Create a token of the HTTP API and print it once.

    clawback keeps only its hash. A token never counts as a second person.
    """
    actor = require_actor(Verb.CREATE_TOKEN, by)
    secret, token = create_secret(role, name, _parse_validity(expires), datetime.now(UTC))
    if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
        raise Failure(f"--name: longer than {LONGEST_NAME} bytes", ExitCode.USAGE)
    created = call_temporal(lambda client: AccessGateway(client).create_token(token, actor))

    if as_json:
        print_json({**_describe(created), "token": secret})
        return ExitCode.OK
    print_text(secret)
    print_status(
        f"Token {created.id} ({created.role}) is valid until "
        f"{created.expires_at:%Y-%m-%d %H:%M} UTC. It is not shown again."
    )
    return ExitCode.OK


def list_tokens(*, as_json: AsJson = False) -> int:
    """List the tokens, also revoked and expired ones, without secrets."""
    view = call_temporal(lambda client: AccessGateway(client).look())
    tokens = () if view is None else view.snapshot.tokens
    if as_json:
        print_json([_describe(token) for token in tokens])
        return ExitCode.OK

    if view is not None and view.is_reset:
        print_status("The list was reset: no token counts until the next `clawback tokens create`.")
    if tokens:
        print_table(_COLUMNS, [_row(token) for token in tokens], drop_first=("created",))
    else:
        print_text("There are no tokens.")
    return ExitCode.OK


def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    *,
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Revoke a token by its id. It opens nothing ten seconds later."""
    actor = require_actor(Verb.REVOKE_TOKEN, by)
    revoked = call_temporal(
        lambda client: AccessGateway(client).revoke_token(token_id, actor, reason)
    )
    if as_json:
        print_json(_describe(revoked))
    else:
        print_text(f"Token {revoked.id} is revoked.")
    return ExitCode.OK


def _parse_validity(text: str) -> timedelta:
    validity = parse_duration_argument(text, "--expires")
    if not timedelta() < validity <= LONGEST_VALIDITY:
        longest = format_duration(LONGEST_VALIDITY)
        raise Failure(f"--expires: {text} is not between 1s and {longest}", ExitCode.USAGE)
    return validity


def _describe(token: ApiToken) -> dict[str, Any]:
    return {**token.model_dump(mode="json", exclude={"digest"}), "state": _state(token)}


def _row(token: ApiToken) -> tuple[str, ...]:
    return (
        token.id,
        token.name,
        token.role,
        _state(token),
        f"{token.expires_at:%Y-%m-%d %H:%M}",
        token.created_by,
        f"{token.created_at:%Y-%m-%d %H:%M}",
    )


def _state(token: ApiToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.is_valid(datetime.now(UTC)) else "expired"
