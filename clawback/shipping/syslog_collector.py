"""Syslog over TLS: RFC 5424 messages with octet counting (RFC 5425).

Syslog has no acknowledgement. Each batch has a connection of its own, which is closed in order:
when the receiver closes its side after that, it has read everything that came before. Whatever else
happens, the batch is sent again.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import ssl
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clawback.audit import AuditLine
from clawback.shipping.collector import CollectorUnavailable, tls_context

TIMEOUT: Final = 15.0
"""Seconds for connecting, and for each step after that."""
_FACILITY: Final = 13
"""Log audit (RFC 5424, 6.2.1)."""
_SEVERITIES: Final = {1: 6, 2: 5, 3: 4, 4: 3}
"""Severities of OCSF as those of syslog: informational, notice, warning, error."""
_MOST_SEQUENCE: Final = 2**31 - 1
_NOT_FOUND: Final = "-"


class SyslogCollector:
    """A syslog server. Without TLS only on this machine, for a relay that runs beside clawback."""

    def __init__(self, host: str, port: int, *, is_tls: bool, ca: Path | None = None) -> None:
        self._address = (host, port)
        self._is_tls = is_tls
        self._ca = ca
        self._host_name = socket.gethostname()

    async def send(self, lines: Sequence[AuditLine]) -> None:
        """Send one message per line; return when the receiver has read them.

        Raises:
            CollectorUnavailable: it may not have all of them.

        """
        frames = b"".join(_frame(format_syslog(line, self._host_name)) for line in lines)
        await asyncio.to_thread(self._deliver, frames)

    def _deliver(self, frames: bytes) -> None:
        context = tls_context(self._ca) if self._is_tls else None
        try:
            with socket.create_connection(self._address, TIMEOUT) as plain:
                if context is None:
                    plain.sendall(frames)
                    _end(plain)
                    return
                # Checks the name or address of the host against the certificate.
                with context.wrap_socket(plain, server_hostname=self._address[0]) as secured:
                    secured.sendall(frames)
                    _end_tls(secured)
        except ssl.SSLCertVerificationError as error:
            raise CollectorUnavailable(
                f"the certificate is not accepted: {error.verify_message}"
            ) from None
        except TimeoutError:
            raise CollectorUnavailable("it does not answer") from None
        except OSError as error:
            reason = type(error).__name__ if isinstance(error, ssl.SSLError) else error.strerror
            raise CollectorUnavailable(reason or "it is unavailable") from None


def format_syslog(line: AuditLine, host_name: str) -> bytes:
    """Format a line as an RFC 5424 message; its text is the line, a JSON object in UTF-8.

    `metadata.uid` in it is stable, and `sequenceId` counts the lines.
    """
    priority = _FACILITY * 8 + _SEVERITIES.get(line.severity, 6)
    at = f"{line.at:%Y-%m-%dT%H:%M:%S}.{line.at.microsecond // 1000:03d}Z"
    host = "".join(char for char in host_name if "!" <= char <= "~")[:255] or _NOT_FOUND
    sequence = (line.sequence - 1) % _MOST_SEQUENCE + 1
    header = (
        f"<{priority}>1 {at} {host} clawback {os.getpid()} {line.kind[:32]} "
        f'[meta sequenceId="{sequence}"] '
    )
    return header.encode("ascii") + line.text.rstrip(b"\n")


def _frame(message: bytes) -> bytes:
    return b"%d %b" % (len(message), message)


def _end_tls(secured: ssl.SSLSocket) -> None:
    try:
        _end(secured.unwrap())
    except ssl.SSLEOFError:
        # It closes without the courtesy of TLS, as many do.
        _confirm(secured)


def _end(plain: socket.socket) -> None:
    """Close our side, and wait until the receiver closes its own.

    Raises:
        OSError: it has reset the connection, because it has not read all, or does not close.

    """
    with contextlib.suppress(OSError):
        plain.shutdown(socket.SHUT_WR)
    while plain.recv(4096):
        pass
    _confirm(plain)


def _confirm(one: socket.socket) -> None:
    """Make sure that the receiver closed after our data, not before: else that resets."""
    deadline = time.monotonic() + TIMEOUT
    while _unacknowledged(one):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)

    if number := one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, os.strerror(number))


def _unacknowledged(one: socket.socket) -> int:
    """How many bytes the other machine has not confirmed; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    answer = fcntl.ioctl(one.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int.from_bytes(answer, sys.byteorder)
