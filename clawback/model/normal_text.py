"""The normal form of texts: what people see as the same text is the same string.

Unicode's NFKC_Casefold (compatibility forms, no case, no invisible characters), with each run of
blanks as one space. So composed and decomposed letters, full-width ones, no-break spaces, folded
header lines, soft hyphens and zero-width characters make no difference.
"""

import re
import unicodedata
from typing import Final

from clawback.model.memo import Memo

_INVISIBLE_RANGES: Final = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Unicode's Default_Ignorable_Code_Point, and interlinear annotations."""

INVISIBLE: Final = re.compile(
    f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in _INVISIBLE_RANGES)}]+"
)
"""Runs of characters that nobody sees."""
# The blank of Braille looks like a space and is none to Unicode.
_BLANKS: Final = re.compile(r"[\s\u2800]+")


def normal_form(text: str) -> str:
    """Give the form in which texts are compared. Idempotent; never raises."""
    if text.isascii():
        return text.lower() if is_plain(text) else _BLANKS.sub(" ", text.lower())

    visible = INVISIBLE.sub("", text)
    folded = _casefold(_casefold(unicodedata.normalize("NFD", visible)))
    return _BLANKS.sub(" ", folded)


def is_plain(text: str) -> bool:
    """Whether an ASCII text differs from its normal form in nothing but case."""
    return "  " not in text and text.isprintable()


def _casefold(text: str) -> str:
    return unicodedata.normalize("NFKC", text.casefold())


NORMAL_FORMS: Final = Memo(normal_form)
"""The forms that the engine has computed lately, a few MiB at most."""
