"""What can be wrong with this machine; the tree is drawn in the package."""


class Unready(RuntimeError):
    """This machine is not as it must be.

    The text is one sentence that names the place and the remedy.
    """


class PortTaken(Unready):
    """A port is in use, or is not ours to use."""


class StateLocked(Unready):
    """Another `clawback up` uses the state folder."""


class DiskUnusable(Unready):
    """The state folder cannot be written, or there is no room."""


class ChildFailed(Unready):
    """A process did not start, or keeps dying.

    `returncode` is how it ended, None where it did not.
    """

    def __init__(self, sentence: str, returncode: int | None = None) -> None:
        super().__init__(sentence)
        self.returncode = returncode
