"""The local identity: the operating system's user and host."""

import getpass
import socket


def operating_system_user() -> str:
    """Return `user@host` of whoever runs this process."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
