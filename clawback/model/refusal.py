"""Why a payload that a Temporal server gives us is not read."""

from enum import StrEnum


class Refusal(StrEnum):
    """Why a payload is refused, as the end of a sentence that begins with it."""

    PLAINTEXT = "is not encrypted"
    UNKNOWN_KEY = "was encrypted with a key that is not in the key ring"
    MISPLACED = "belongs to another workflow"
    DAMAGED = "was changed"
    TOO_LARGE = "decompresses to more than a payload may hold"
    NO_KEY = "is encrypted, and no key is set"

    @property
    def label(self) -> str:
        """The name in metrics and logs."""
        return self.name.lower()
