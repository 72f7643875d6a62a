"""Reading pages of local processes, which may be killed at any moment."""

import socket
import threading

import pytest

from clawback.local import fetch


def test_half_a_response_is_an_os_error() -> None:
    """A process that is killed while it responds counts as one that does not respond."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def respond() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        thread = threading.Thread(target=respond)
        thread.start()
        with pytest.raises(OSError, match="IncompleteRead"):
            fetch(f"http://127.0.0.1:{server.getsockname()[1]}/metrics")
        thread.join()
