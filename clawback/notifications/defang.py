"""Makes text that came out of mail harmless to show: whoever wrote it wanted to be clicked.

Nothing in it can be a link, a mention or a line of its own; what it says can still be read.
"""

import re
import unicodedata

LONGEST = 200
_DOTS = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=\w)")
_SCHEME = re.compile(
    r":(?=[/\\]{1,2})|(?<=\bmailto):|(?<=\bjavascript):|(?<=\bdata):|(?<=\btel):|(?<=\bfile):",
    re.IGNORECASE,
)
_MENTION = re.compile(r"(?<!\w)@(?=\w)")


def defang(text: str, longest: int = LONGEST) -> str:
    """Defang a text: `hxxp[:]//evil[.]test`, no control or invisible characters, no line breaks, no leading `@`, at most so long."""
    seen = " ".join(
        "".join(
            " " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
            for char in text[: longest * 4]
        ).split()
    )
    visible = "".join(char for char in seen if not unicodedata.category(char).startswith("C"))
    flat = re.sub(r"\bhttp(?=s?:)", "hxxp", visible, flags=re.IGNORECASE)
    defanged = _MENTION.sub("[@]", _DOTS.sub("[.]", _SCHEME.sub("[:]", flat)))
    return defanged if len(defanged) <= longest else defanged[: longest - 1] + "…"
