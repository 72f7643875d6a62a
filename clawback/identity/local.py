"""The local identity: what the operating system says about whoever runs this process."""

import os
import pwd
import socket

from clawback.model.identity import Identity, IdentitySource, Role


def local_identity() -> Identity:
    """Return `user@host` of whoever runs this process; nobody vouches for it.

    The user is the one of the process, not one that the environment names.
    """
    host = socket.gethostname()
    return Identity(
        source=IdentitySource.LOCAL,
        subject=f"{_user_name(os.getuid())}@{host}",
        host=host,
        roles=tuple(Role),
    )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
