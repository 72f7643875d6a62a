"""Opens the sockets that servers of this process listen at, for IPv4 and IPv6 alike."""

import socket

ANY_IPV6 = "::"


def open_listener(host: str, port: int) -> socket.socket:
    """Bind a host name or address without brackets, and listen. Port 0 picks a free one.

    `::` takes IPv4 too, where the system can do that.

    Raises:
        OSError: it cannot be bound, or there is no such host.

    """
    is_dual = host == ANY_IPV6 and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, dualstack_ipv6=is_dual)
