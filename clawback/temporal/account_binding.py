"""One namespace, one account: an installation refuses the data of another one."""

from temporalio.client import Client

from clawback.model.loggable import LoggableError
from clawback.settings import Settings
from clawback.temporal.client import connect
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.namespace_checks import require_namespace


class ForeignAccount(LoggableError, RuntimeError):
    """The namespace holds the data of another account; the text names both."""


async def connect_to_own(settings: Settings) -> Client:
    """Connect, and refuse a namespace with the data of another account, if both are known.

    Every command comes through here, so that none reads or answers for another account.

    Raises:
        ForeignAccount: the accounts differ.
        TemporalUnreachable: no server answers, or it does not have the namespace.
        PayloadKeyError: a key is unusable or missing, or the guard was written with another one.
        RPCError: the server fails.

    """
    client = await connect(settings)
    view = await GuardGateway(client).look()
    if view is None:
        # To the server, a workflow in a namespace that it does not have is simply not found.
        await require_namespace(client)

    binding = view.memo.binding if view is not None and view.memo is not None else None
    if binding is not None and settings.account is not None:
        require_account(binding.account, settings.account, client.namespace)
    return client


def require_account(bound: str, ours: str, namespace: str) -> None:
    """Compare the account of a namespace with the one in the settings.

    Raises:
        ForeignAccount: they differ.

    """
    if bound != ours:
        raise ForeignAccount(
            f"namespace {namespace} holds the data of account {bound}, not of {ours}; "
            "set TEMPORAL_NAMESPACE to a namespace of its own for each account, "
            "or correct CLOUDFLARE_ACCOUNT_ID"
        )
