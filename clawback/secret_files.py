"""Secrets in files, read again when the file changes, so that a rotation needs no restart.

A file that becomes empty or unreadable changes nothing: the last good value stays in use, and
whoever looks at `troubles()` or the metrics learns of it.
"""

import os
import threading
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from pydantic import SecretStr

from clawback.model.loggable import LoggableError

T = TypeVar("T")
MAX_BYTES = 1 << 20
_Signature = tuple[int, int, int]


class SecretUnreadable(LoggableError, ValueError):
    """A file of a secret has never had a value; the text names setting, file and reason."""


class SecretName(StrEnum):
    """What a file may hold; a label of metrics."""

    API_TOKEN = "api_token"  # noqa: S105 - a name, not a secret
    COLLECTOR_TOKEN = "collector_token"  # noqa: S105 - a name, not a secret
    CLIENT_SECRET = "client_secret"  # noqa: S105 - a name, not a secret
    ENCRYPTION_KEYS = "encryption_keys"
    TEMPORAL_API_KEY = "temporal_api_key"
    TEMPORAL_CERTIFICATES = "temporal_certificates"
    TEMPORAL_TLS_KEY = "temporal_tls_key"
    CHANNEL = "channel"


class SecretEvent(StrEnum):
    """What became of a file since the last look."""

    CHANGED = "changed"
    UNREADABLE = "unreadable"
    RECOVERED = "recovered"


class WatchedFile(Generic[T]):
    """A file whose content is parsed again whenever it changed; each use costs one `stat`.

    `parse` raises ValueError for content that is no good. Several threads may use it.
    """

    def __init__(self, name: SecretName, path: Path, parse: Callable[[str], T]) -> None:
        self.name = name
        self.path = path
        self.trouble: str | None = None
        """Why the file cannot be used now; None if it can."""
        self._parse = parse
        self._checks: list[Callable[[T], object]] = []
        self._lock = threading.Lock()
        self._signature: _Signature | None = None
        self._has_value = False
        self._value: T
        self._events: list[SecretEvent] = []
        with _WATCHED_LOCK:
            _WATCHED.add(self)

    def read(self) -> T:
        """Return the value of now, or the last good one.

        Raises:
            SecretUnreadable: there never was one.

        """
        with self._lock:
            self._look(self._sign())
            if not self._has_value:
                raise SecretUnreadable(f"cannot read the {self.words} {self.path}: {self.trouble}")
            return self._value

    def require(self, check: Callable[[T], object]) -> None:
        """Let nothing count from now on that `check` refuses with a ValueError."""
        with self._lock:
            if check not in self._checks:
                self._checks.append(check)
                self._signature = None

    def refresh(self) -> bool:
        """Read the file whether or not it seems changed; return whether the value is another."""
        with self._lock:
            before = self._value if self._has_value else None
            self._signature = None
            self._look(self._sign())
            return self._has_value and self._value != before

    def take_events(self) -> list[SecretEvent]:
        """Look at the file, and return what happened to it since this was called last."""
        with self._lock:
            self._look(self._sign())
            events, self._events = self._events, []
            return events

    @property
    def words(self) -> str:
        """The name of the secret, as people read it."""
        return self.name.replace("_", " ")

    def _sign(self) -> _Signature | None:
        try:
            # Follows links: Kubernetes swaps a link to the folder of all secrets.
            found = os.stat(self.path)  # noqa: PTH116 - on the way of each request
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _look(self, signature: _Signature | None) -> None:
        if signature is not None and signature == self._signature:
            return

        had_trouble = self.trouble is not None
        try:
            value = self._parse(self._read_text())
            for check in self._checks:
                check(value)
        except (OSError, ValueError) as error:
            self.trouble = _reason(error)
            self._signature = signature
            if not had_trouble:
                self._events.append(SecretEvent.UNREADABLE)
            return

        if self._has_value and value != self._value:
            self._events.append(SecretEvent.CHANGED)
        if had_trouble:
            self._events.append(SecretEvent.RECOVERED)
        self._value, self._has_value = value, True
        self._signature, self.trouble = signature, None

    def _read_text(self) -> str:
        with self.path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError("it is too large for a secret")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            # The error of Python would quote the content.
            raise ValueError("it is no text file") from None


class FileSecret(SecretStr):
    """A secret that is in a file: one line, without blanks around it."""

    def __init__(self, name: SecretName, path: Path) -> None:
        super().__init__("")
        self.file = WatchedFile(name, path, parse_line)

    def get_secret_value(self) -> str:
        """Return the secret of now.

        Raises:
            SecretUnreadable: it cannot be read, and never could.

        """
        return self.file.read()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileSecret) and other.file.path == self.file.path

    def __hash__(self) -> int:
        return hash(self.file.path)

    def __bool__(self) -> bool:
        return True

    def __deepcopy__(self, memo: object) -> "FileSecret":
        return self

    def _display(self) -> str:
        return "**********"


def parse_line(text: str) -> str:
    """Read a secret of one line.

    Raises:
        ValueError: it is empty, or has several lines.

    """
    secret = text.strip()
    if not secret:
        raise ValueError("it is empty")
    if len(secret.splitlines()) > 1:
        raise ValueError("it has more than one line")
    return secret


def require_form(secret: SecretStr, check: Callable[[str], object]) -> None:
    """Check the form of a secret and, if it is in a file, of every later one before it is used.

    Raises:
        ValueError: what `check` says of the secret of now; it must not quote it.

    """
    check(secret.get_secret_value())
    if isinstance(secret, FileSecret):
        secret.file.require(check)


def refresh_secret(secret: SecretStr) -> bool:
    """Read a secret again that was refused; return whether it is another one now."""
    return isinstance(secret, FileSecret) and secret.file.refresh()


def watched_files() -> Iterator["WatchedFile[Any]"]:
    """Give the files of this process, in a stable order."""
    with _WATCHED_LOCK:
        found = list(_WATCHED)
    yield from sorted(found, key=lambda one: (one.name, str(one.path)))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or "unknown error").lower()
    return str(error)


_WATCHED_LOCK = threading.Lock()
_WATCHED: WeakSet[WatchedFile[Any]] = WeakSet()
