"""Several installations on one machine, one for each account: folders, settings and ports.

`clawback --installation NAME …` reads the settings of an installation from its folder, and gives
it ports of its own. What the environment says itself, wins. A folder is made by the first
`clawback up --installation NAME`, under the state folder: `installations/NAME/`.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from clawback.private_files import hide
from clawback.settings import SettingsError

VARIABLE: Final = "CLAWBACK_INSTALLATION"
STATE: Final = "CLAWBACK_STATE"
DEFAULT_STATE: Final = Path(".clawback")
SETTINGS_FILE: Final = "clawback.env"
FIRST_PORT: Final = 20_000
_STEP: Final = 10
_MOST: Final = 100
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_NUMBER_FILE = "installation.json"
_PORTS = ("CLAWBACK_TEMPORAL_PORT", "CLAWBACK_UI_PORT", "CLAWBACK_SIMULATOR_PORT")
_ADDRESSES = ("CLAWBACK_CODEC", "CLAWBACK_CONSOLE", "CLAWBACK_METRICS")


class InstallationError(SettingsError):
    """A name is no name of an installation, there is no such one, or there are too many."""


@dataclass(frozen=True)
class NamedInstallation:
    """One of several installations on this machine."""

    name: str
    folder: Path
    number: int

    @property
    def defaults(self) -> dict[str, str]:
        """Its settings where neither its file nor the environment says something else."""
        first = FIRST_PORT + _STEP * self.number
        ports = {name: str(first + place) for place, name in enumerate(_PORTS)}
        addresses = {
            name: f"127.0.0.1:{first + len(_PORTS) + place}"
            for place, name in enumerate(_ADDRESSES)
        }
        return {
            STATE: str(self.folder),
            "CLAWBACK_DEPLOYMENT": f"clawback-{self.name}",
            **ports,
            **addresses,
        }

    def settings(self) -> dict[str, str]:
        """Its defaults, and over them what its file says.

        Raises:
            InstallationError: the file cannot be read.

        """
        file = self.folder / SETTINGS_FILE
        try:
            stated = dotenv_values(file, interpolate=False) if file.exists() else {}
        except (OSError, UnicodeError) as error:
            raise InstallationError(f"{file} cannot be read: {error}") from error

        if empty := [name for name, value in stated.items() if value is None]:
            raise InstallationError(f"{file}: `{empty[0]}` is no NAME=VALUE")
        return {**self.defaults, **{name: str(value) for name, value in stated.items()}}


def list_installations(state: Path) -> list[NamedInstallation]:
    """List the installations under a state folder, by name. Folders of others are left out."""
    return sorted(_find(state / "installations"), key=lambda one: one.name)


def enter_installation(
    name: str, environment: MutableMapping[str, str] = os.environ, *, creates: bool = False
) -> NamedInstallation:
    """Set what an installation sets, where the environment does not.

    Raises:
        InstallationError: the name is wrong, or there is none and `creates` is not set.
        OSError: its folder cannot be made or read.

    """
    if not _NAME.fullmatch(name):
        raise InstallationError(
            f"`{name[:40]}` is no name of an installation: use up to 32 lower-case letters, digits "
            "and -"
        )

    state = Path(environment.get(STATE) or DEFAULT_STATE)
    if environment.get(VARIABLE) == name and state.parent.name == "installations":
        state = state.parent.parent  # entered already
    installation = _open(state, name, creates=creates)
    for variable, value in {**installation.settings(), VARIABLE: name}.items():
        if variable in (STATE, VARIABLE) or not environment.get(variable):
            environment[variable] = value
    return installation


def _open(state: Path, name: str, *, creates: bool) -> NamedInstallation:
    folder = state / "installations"
    known = {one.name: one for one in _find(folder)}
    if name in known:
        return known[name]
    if not creates:
        others = f"; there are: {', '.join(sorted(known))}" if known else ""
        raise InstallationError(
            f"there is no installation `{name}` in {folder}{others}; "
            f"`clawback up --installation {name}` makes it"
        )

    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        taken = {one.number for one in _find(folder)}
        number = next((one for one in range(1, _MOST) if one not in taken), None)
        if number is None:
            raise InstallationError(f"{folder} has {len(taken)} installations, and no more ports")
        made = NamedInstallation(name, folder / name, number)
        made.folder.mkdir(exist_ok=True)
        (made.folder / _NUMBER_FILE).write_text(json.dumps({"number": number}))
    hide([made.folder, made.folder / _NUMBER_FILE])
    return made


def _find(folder: Path) -> Iterator[NamedInstallation]:
    for file in folder.glob(f"*/{_NUMBER_FILE}"):
        try:
            number = json.loads(file.read_text())["number"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(number, int) and _NAME.fullmatch(file.parent.name):
            yield NamedInstallation(file.parent.name, file.parent, number)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
