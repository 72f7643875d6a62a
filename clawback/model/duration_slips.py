"""What somebody probably meant by a text that is no duration: `60m` for `60min`."""

import re
from collections.abc import Mapping
from fractions import Fraction

_WORDS: Mapping[str, tuple[str, int]] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), ("s", 1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), ("m", 60)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), ("h", 3_600)),
    **dict.fromkeys(("d", "day", "days"), ("d", 86_400)),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), ("w", 604_800)),
    **dict.fromkeys(("mo", "month", "months"), ("d", 30 * 86_400)),
    **dict.fromkeys(("y", "yr", "year", "years"), ("d", 365 * 86_400)),
}
_PARTS = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([a-z]*)(?:\s*(?:,|and|\s)\s*)?", re.ASCII)
_ISO = re.compile(r"p(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)?", re.ASCII)
_LONGEST_TEXT = 40


def suggest_duration(text: str) -> str | None:
    """Say what to write instead of a text; None if nobody knows what it means."""
    text = text.strip()
    folded = text.casefold()
    # A capital M is a month to pySigma, and a minute to others.
    if not folded or len(text) > _LONGEST_TEXT or re.search(r"\dM\b", text):
        return None
    if folded.isascii() and folded.isdigit():
        return f"a unit after it: {folded}s, {folded}m, {folded}h or {folded}d"
    if iso := _ISO.fullmatch(folded):
        return "".join(
            f"{number}{unit}" for number, unit in zip(iso.groups(), "dhms", strict=True) if number
        )

    parts = _PARTS.findall(folded)
    is_whole = _PARTS.sub("", folded) == ""
    if not parts or not is_whole or any(word not in _WORDS for _, word in parts):
        return None
    return _one(*parts[0]) if len(parts) == 1 else _sum(parts)


def _one(number: str, word: str) -> str | None:
    unit, seconds = _WORDS[word]
    size = next(size for one, size in _WORDS.values() if one == unit)
    count = Fraction(number) * seconds / size
    return f"{count}{unit}" if count.denominator == 1 else _sum([(number, word)])


def _sum(parts: list[tuple[str, str]]) -> str | None:
    rest = sum(Fraction(number) * _WORDS[word][1] for number, word in parts)
    if rest.denominator != 1:
        return None

    text, left = "", int(rest)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
