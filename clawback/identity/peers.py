"""Finds out which user of this machine is at the other end of a connection.

Linux lists every socket with its user in `/proc/net/tcp`. Another machine, a container with a
network of its own, or another operating system is not found there.
"""

import ipaddress
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
Address = tuple[str, int]


def find_user(client: Address, server: Address) -> int | None:
    """Return the user id of the process that opened a connection; None if it is not known.

    Each connection inside of this machine has two rows. That of the client has its own address
    first.
    """
    wanted = {(_encode(*client, mapped), _encode(*server, mapped)) for mapped in (False, True)}
    for table in _TABLES:
        try:
            rows = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue

        for row in rows:
            _, local, remote, state, _, _, _, user, *_ = row.split()
            if state == _ESTABLISHED and (local, remote) in wanted:
                return int(user)
    return None


def _encode(host: str, port: int, mapped: bool) -> str:  # noqa: FBT001 - one of two forms
    """Write an address as the kernel does: in words of its own byte order, here little-endian."""
    address = ipaddress.ip_address(host)
    if mapped and isinstance(address, ipaddress.IPv4Address):
        address = ipaddress.IPv6Address(f"::ffff:{address}")

    packed = address.packed
    words = (packed[start : start + 4][::-1] for start in range(0, len(packed), 4))
    return f"{b''.join(words).hex().upper()}:{port:04X}"
