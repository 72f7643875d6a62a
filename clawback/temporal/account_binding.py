"""One namespace, one account: an installation refuses the data of another one."""

from clawback.model.loggable import LoggableError


class ForeignAccount(LoggableError, RuntimeError):
    """The namespace holds the data of another account; the text names both."""


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
