"""Who runs a command that changes something. Every such command asks this, before it asks anybody.

The same is checked again where the order is carried out: see `activities.identity`.
"""

import asyncio
from typing import Annotated

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.identity.errors import IdentityError, ProviderUnavailable
from clawback.identity.local import local_identity
from clawback.identity.permission import Policy, refusal
from clawback.model.identity import Actor, Identity, Role
from clawback.model.orders import Verb
from clawback.model.texts import bounded
from clawback.settings import Settings, load_settings

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
    settings = load_settings()
    is_needed = settings.has_identity_provider and role is not None
    identity = signed_in(settings) if is_needed else local_identity()
    policy = Policy(has_provider=settings.has_identity_provider)
    if (problem := refusal(identity, role, policy, to=what)) is not None:
        raise Failure(f"refused: {problem}", ExitCode.NO)
    return Actor(identity=identity, on_behalf_of=bounded(on_behalf_of, _LONGEST))


def signed_in(settings: Settings) -> Identity:
    """Return who has signed in on this machine.

    Raises:
        Failure: nobody has, or the identity provider does not answer.

    """

    async def read() -> Identity:
        # httpx takes a tenth of a second to import, and most installations need none of this.
        from clawback.identity.configuration import client_settings  # noqa: PLC0415 - see above
        from clawback.identity.exchange import open_http  # noqa: PLC0415 - see above
        from clawback.identity.session import (  # noqa: PLC0415 - see above
            SessionStore,
            session_file,
            signed_in_identity,
        )

        async with open_http() as http:
            store = SessionStore(session_file())
            return await signed_in_identity(http, client_settings(settings), store)

    try:
        return asyncio.run(read())
    except ProviderUnavailable as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error
    except IdentityError as error:
        raise Failure(f"refused: {error}", ExitCode.NO) from error
