"""Defangs text that comes from mail, so that no chat or mail client turns it into links.

The result has no working link, no mention and no line break, and still reads like the original.
"""

import re
import unicodedata

from clawback.model.texts import bounded

MAX_LENGTH = 200
_DOTS = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=\w)")
_SCHEMES = re.compile(
    r":(?=[/\\]{1,2})|(?<=\bmailto):|(?<=\bjavascript):|(?<=\bdata):|(?<=\btel):|(?<=\bfile):",
    re.IGNORECASE,
)
_HTTP = re.compile(r"\bhttp(?=s?:)", re.IGNORECASE)
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_LINE_BREAKS = frozenset({"Cc", "Zl", "Zp"})


def defang(text: str, limit: int = MAX_LENGTH) -> str:
    """Defang a text: `https://evil.test` becomes `hxxps[:]//evil[.]test`.

    Control characters become spaces, invisible characters are dropped, a leading `@` becomes
    `[@]`. The result has at most `limit` characters.
    """
    visible = _visible_line(text[: limit * 4])  # bounds the work; blanks may still collapse
    return bounded(_MENTION.sub("[@]", break_links(visible)), limit)


def break_links(text: str) -> str:
    """Break every link of a text: `https://evil.test` becomes `hxxps[:]//evil[.]test`."""
    text = _HTTP.sub("hxxp", text)
    text = _SCHEMES.sub("[:]", text)
    return _DOTS.sub("[.]", text)


def _visible_line(text: str) -> str:
    spaced = "".join(" " if unicodedata.category(c) in _LINE_BREAKS else c for c in text)
    line = " ".join(spaced.split())
    return "".join(c for c in line if not unicodedata.category(c).startswith("C"))
