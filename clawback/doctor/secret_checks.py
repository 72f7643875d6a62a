"""The files of secrets: each can be read, has a value, and is this user's alone."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from clawback.doctor.check import Finding, ok, problem, warning
from clawback.notifications import ChannelFileError, read_channels
from clawback.private_files import find_exposed
from clawback.secret_files import FileSecret, SecretUnreadable, WatchedFile, watched_files
from clawback.settings import Settings
from clawback.temporal.client import api_key_of
from clawback.temporal.installation_keys import key_file
from clawback.temporal.key_ring import PayloadKeyError
from clawback.temporal.live_keys import watch_key_file


def check_secrets(settings: Settings) -> Iterable[Finding]:
    """Read every file of a secret that settings and channels name."""
    found = list(_find_troubles(settings))
    files = {file.path: file for file in watched_files()}
    found += [_unreadable(file) for file in files.values() if file.trouble is not None]
    if exposed := find_exposed(files):
        remedy = f"chmod go= {exposed[0]}, unless it is mounted for the group of clawback only"
        found.append(warning("secrets", f"other users can access {exposed[0]}", remedy))
    if found:
        return found

    names = ", ".join(sorted({file.name.replace("_", " ") for file in files.values()}))
    read = f"read from files, and again when they change: {names}" if names else "none is in a file"
    return [ok("secrets", read)]


def _find_troubles(settings: Settings) -> Iterator[Finding]:
    """Open what is named; a file that cannot be read shows up among the watched ones."""
    for secret in (
        settings.cloudflare_api_token,
        settings.audit_collector_token,
        settings.identity_client_secret,
        api_key_of(settings),
    ):
        if isinstance(secret, FileSecret):
            secret.file.take_events()
    keys: Path | None = key_file(settings)
    if keys is not None:
        try:
            watch_key_file(keys)
        except PayloadKeyError as error:
            yield problem("secrets", str(error), "restore the file from a copy")
    try:
        read_channels(settings.channels)
    except (ChannelFileError, SecretUnreadable):
        return  # the check of the channels says so


def _unreadable(file: WatchedFile[object]) -> Finding:
    found = f"the {file.name.replace('_', ' ')} in {file.path} cannot be used: {file.trouble}"
    remedy = "write it again; processes that run use the old value until then"
    return problem("secrets", found, remedy)
