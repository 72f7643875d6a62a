"""What can keep clawback from running on this machine. Each text is one sentence with the remedy.

SetupError
├── PortInUse            a port is in use, or not allowed
├── StateFolderLocked    another `clawback up` uses the state folder
├── DiskUnusable         the state folder cannot be written, or has too little space
└── ProcessFailed        a process did not start, or keeps dying
"""


class SetupError(RuntimeError):
    """Something on this machine is missing or in the way."""


class PortInUse(SetupError):
    """A port is in use, or this user may not bind it."""


class StateFolderLocked(SetupError):
    """Another `clawback up` uses the state folder."""


class DiskUnusable(SetupError):
    """The state folder cannot be written, or has too little space."""


class ProcessFailed(SetupError):
    """A process did not start, or keeps dying; `returncode` is None if it is still running."""

    def __init__(self, sentence: str, returncode: int | None = None) -> None:
        super().__init__(sentence)
        self.returncode = returncode
