"""Who runs a command that changes something. Every such command asks this, before it asks anybody.

The same is checked again where the order is carried out: see `activities.identity`.
"""

from typing import Annotated

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.identity.local import local_identity
from clawback.identity.permission import Policy, refusal
from clawback.model.identity import Actor, Role
from clawback.model.orders import Verb
from clawback.model.texts import bounded

_LONGEST = 120

By = Annotated[
    str,
    typer.Option(
        "--by",
        help="On whose behalf you act; recorded beside your own identity.",
        show_default=False,
    ),
]
Reason = Annotated[
    str, typer.Option("--reason", help="Reason, recorded in the audit.", show_default=False)
]


def require_actor(verb: Verb, on_behalf_of: str = "") -> Actor:
    """Return who runs this command, if they may give an order.

    Raises:
        Failure: they may not; the message says what to do.

    """
    return require_role(verb.role, verb, on_behalf_of)


def require_role(role: Role | None, what: str, on_behalf_of: str = "") -> Actor:
    """Return who runs this command, if they have the role that something takes.

    Raises:
        Failure: they do not; the message says what to do.

    """
    identity = local_identity()
    if (problem := refusal(identity, role, Policy(), to=what)) is not None:
        raise Failure(f"refused: {problem}", ExitCode.NO)
    return Actor(identity=identity, on_behalf_of=bounded(on_behalf_of, _LONGEST))
