"""The keys of an embedded installation: the file `keys` in its state folder.

`clawback up` makes it before the first start of its server. Every command that is run with the same
settings finds it, unless the environment names a Temporal server, or keys of its own.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from temporalio.envconfig import ClientConfigProfile

from clawback.model.loggable import LoggableText
from clawback.settings import Settings
from clawback.temporal.key_ring import create_key_file

_NAME: Final = "keys"


def key_file(settings: Settings) -> Path | None:
    """Return the key file of this installation; None if it has none."""
    if settings.encryption_key_file is not None:
        return settings.encryption_key_file
    if not _makes_keys(settings) or ClientConfigProfile.load().address is not None:
        return None

    found = [file for folder in _folders(settings) if (file := folder / _NAME).is_file()]
    running = [file for file in found if is_in_use(file.parent)]
    return next(iter((*running, *found)), None)


def default_key_file(settings: Settings) -> Path:
    """Return where the keys of an embedded installation are."""
    return settings.folder / _NAME


def make_keys(settings: Settings, database: Path) -> LoggableText | None:
    """Make the key of an embedded installation, if it has none and nothing was written without.

    Returns what people should know: that there is a new key, or that there is none.

    Raises:
        OSError: the file cannot be written.

    """
    file = default_key_file(settings)
    if not _makes_keys(settings) or settings.encryption_key_file or file.exists():
        return None

    if database.exists() and settings.encryption != "migrate":
        return LoggableText(
            f"{database} was begun without encryption; to encrypt what is new, start once with "
            "CLAWBACK_ENCRYPTION=migrate and keep that until what is open has ended"
        )

    key = create_key_file(file).current
    return LoggableText(
        f"made encryption key {key.id} in {file}; keep a copy, nobody can read the cases without it"
    )


def is_in_use(folder: Path) -> bool:
    """Whether a `clawback up` runs in a state folder: it holds its lock."""
    try:
        file = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False

    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _makes_keys(settings: Settings) -> bool:
    return settings.encryption != "off" and settings.encryption_key is None


def _folders(settings: Settings) -> tuple[Path, ...]:
    """Give the folders whose server a command may mean.

    Commands need no token, so without one it can be that of the account as well as the demo's.
    """
    own = (settings.folder,)
    return own if settings.cloudflare_api_token else (*own, settings.state)
