"""Defangs text that comes from mail, so that no chat or mail client turns it into links.

The result has no working link, no mention and no line break, and still reads like the original.
"""

import re
import unicodedata

from clawback.model.texts import bounded

MAX_LENGTH = 200
_NUMBER = r"[0-9]+(?:\.[0-9]+){1,2}[A-Za-z]{0,2}"
_DOTS = re.compile(
    # A number that is not a part of a host: no top-level domain begins with a digit, so a link
    # would need more than this. Four numbers are an address, and stay out of it.
    rf"(?P<number>(?<![\w.@\\])(?<!\w-)(?<!//){_NUMBER}(?:-{_NUMBER})*"
    r"(?![\w@-]|[.\u3002\uff0e\uff61]\w))"
    # Before the dot of a host may be an emoji or a combining mark, which are no word characters.
    r"|(?<=[^\s.])[.\u3002\uff0e\uff61](?=\w)"
)
_SCHEMES = re.compile(
    r":(?=[/\\]{1,2})|(?<=\bmailto):|(?<=\bjavascript):|(?<=\bdata):|(?<=\btel):|(?<=\bfile):",
    re.IGNORECASE,
)
_HTTP = re.compile(r"\bhttp(?=s?:)", re.IGNORECASE)
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_LINE_BREAKS = frozenset({"Cc", "Zl", "Zp"})


def defang(text: str, limit: int = MAX_LENGTH) -> str:
    """Defang a text: `https://evil.test` becomes `hxxps[:]//evil[.]test`; `2.1/h` stays.

    Control characters become spaces, invisible characters are dropped, a leading `@` becomes
    `[@]`. The result has at most `limit` characters.
    """
    visible = _visible_line(text[: limit * 4])  # bounds the work; blanks may still collapse
    return bounded(_MENTION.sub("[@]", break_links(visible)), limit)


def break_links(text: str) -> str:
    """Break every link of a text: `https://evil.test` becomes `hxxps[:]//evil[.]test`."""
    text = _HTTP.sub("hxxp", text)
    text = _SCHEMES.sub("[:]", text)
    return _DOTS.sub(lambda found: found["number"] or "[.]", text)


def _visible_line(text: str) -> str:
    spaced = "".join(" " if unicodedata.category(c) in _LINE_BREAKS else c for c in text)
    line = " ".join(spaced.split())
    return "".join(c for c in line if not unicodedata.category(c).startswith("C"))
