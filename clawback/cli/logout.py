"""`clawback logout`: forget the tokens of this user."""

from clawback.cli.exits import ExitCode
from clawback.cli.output import print_text
from clawback.identity.session import SessionStore, session_file


def logout() -> int:
    """Sign out on this machine. The session at the identity provider goes on."""
    was_signed_in = SessionStore(session_file()).forget()
    print_text("Signed out." if was_signed_in else "Nobody was signed in.")
    return ExitCode.OK
