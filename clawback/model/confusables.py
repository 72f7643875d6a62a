"""Texts that look alike: the skeletons of Unicode Technical Standard 39, without regard to case.

Two texts are confusable if they have a skeleton in common. Each has two, because folding the case
first tells letters apart that are alike (`I` and `l`), and folding it last those that are not
(the large and the small Cyrillic ve).
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from clawback.model.memo import memoized

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point: what fonts do not show."""
_BLANKS = re.compile(r"\s+")


class Skeletons(NamedTuple):
    """The skeletons of a text: of its small letters, and of what it looks like in small letters."""

    folded: str
    seen: str

    def meets(self, other: "Skeletons") -> bool:
        """Whether two texts are confusable."""
        return self.folded == other.folded or self.seen == other.seen


@memoized
def skeletons_of(text: str) -> Skeletons:
    """Give the skeletons of a text; runs of blanks count as one."""
    plain = _BLANKS.sub(" ", text)
    folded, seen = plain.casefold(), _prototypes(plain).casefold()
    return Skeletons(_skeleton(folded), _skeleton(seen))


def are_confusable(text: str, other: str) -> bool:
    """Whether two texts look alike, apart from blanks around them."""
    return skeletons_of(text.strip()).meets(skeletons_of(other.strip()))


def _skeleton(text: str) -> str:
    # A small i is that of a large I, which is an l.
    return _BLANKS.sub(" ", _prototypes(text)).replace("i", "l")


def _prototypes(text: str) -> str:
    """Give the internal skeleton of UTS 39: NFD, without ignorables, prototypes, NFD."""
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFD", visible.translate(_table()))


@cache
def _table() -> dict[int, str]:
    # On demand: most processes compare no names.
    lines = (files(__package__) / "confusables.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(";") for line in lines if not line.startswith("#"))
    return {
        int(source, 16): "".join(chr(int(one, 16)) for one in target.split())
        for source, target in pairs
    }
