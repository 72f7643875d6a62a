"""The files of secrets: each can be read, has a value, and is this user's alone."""

from collections.abc import Iterable, Iterator
from typing import Any

from clawback.doctor.check import Finding, ok, problem, warning
from clawback.notifications import ChannelFileError, Channels, read_channels
from clawback.private_files import find_exposed
from clawback.secret_files import FileSecret, SecretName, SecretUnreadable, WatchedFile
from clawback.settings import Settings
from clawback.temporal.client import api_key_of
from clawback.temporal.installation_keys import key_file
from clawback.temporal.key_ring import PayloadKeyError
from clawback.temporal.live_keys import watch_key_file
from clawback.temporal.tls_files import TlsFiles

_PUBLIC = frozenset({SecretName.TEMPORAL_CERTIFICATES})
"""What everybody may read: only its key is a secret."""


def check_secrets(settings: Settings) -> Iterable[Finding]:
    """Read every file of a secret that settings, environment and channels name."""
    found: list[Finding] = []
    files: list[WatchedFile[Any]] = [*_files_of(settings), *TlsFiles().files]
    try:
        files += _key_files(settings)
    except PayloadKeyError as error:
        found.append(problem("secrets", str(error), "restore the file from a copy"))

    for file in files:
        file.take_events()
    found += [_unreadable(file) for file in files if file.trouble is not None]
    secret = (file.path for file in files if file.name not in _PUBLIC)
    if exposed := find_exposed(secret):
        remedy = f"chmod go= {exposed[0]}, unless it is mounted for the group of clawback only"
        found.append(warning("secrets", f"other users can access {exposed[0]}", remedy))
    if found:
        return found

    names = ", ".join(sorted({file.words for file in files}))
    read = f"read from files, and again when they change: {names}" if names else "none is in a file"
    return [ok("secrets", read)]


def _files_of(settings: Settings) -> Iterator[WatchedFile[str]]:
    """The files of one secret each."""
    own = (
        settings.cloudflare_api_token,
        settings.audit_collector_token,
        settings.identity_client_secret,
        api_key_of(settings),
    )
    yield from (secret.file for secret in own if isinstance(secret, FileSecret))
    yield from (secret.file for secret in _channel_secrets(settings))


def _channel_secrets(settings: Settings) -> Iterator[FileSecret]:
    channels: Channels = {}
    try:
        channels = read_channels(settings.channels)
    except (ChannelFileError, SecretUnreadable):
        return  # the check of the channels says so
    for channel in channels.values():
        fields = (getattr(channel, field) for field in type(channel).model_fields)
        yield from (value for value in fields if isinstance(value, FileSecret))


def _key_files(settings: Settings) -> Iterator[WatchedFile[Any]]:
    """The file of the encryption keys; raises PayloadKeyError if it is no good."""
    if (file := key_file(settings)) is not None:
        yield watch_key_file(file)


def _unreadable(file: WatchedFile[Any]) -> Finding:
    found = f"the {file.words} in {file.path} cannot be used: {file.trouble}"
    remedy = "write it again; processes that run use the old value until then"
    return problem("secrets", found, remedy)
