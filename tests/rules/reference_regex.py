"""What a regular expression means in any script, by RE2 itself and without the translation.

Each character that is not ASCII becomes one of ASCII of the same kind that occurs neither in the
expression nor in the text: a letter a letter of the same case, a digit a digit, a blank a blank.
RE2's classes and boundaries then mean what Unicode's mean for the characters that they stand for.
"""

import unicodedata
from string import ascii_lowercase, digits

import re2

_OF_ASCII = "\u212a\u017f"
_BLANKS = "\f\r"
_SIGNS = "~`'\"%&;<>@,=!"


def finds(expression: str, text: str) -> bool | None:
    """Whether an expression is found in a text; None if there are not enough spare characters.

    Nor is it known of characters that are other cases of those in ASCII.
    """
    if any(one in _OF_ASCII for one in expression + text):
        return None
    used = {char.lower() for char in expression + text if char.isascii()}
    spare = {
        kind: [char for char in chars if char not in used]
        for kind, chars in {"L": ascii_lowercase, "N": digits, "Z": _BLANKS, "": _SIGNS}.items()
    }
    names: dict[str, str] = {}
    for char in expression + text:
        if not char.isascii() and char not in names:
            lower = char.lower() if len(char.lower()) == 1 else char
            if lower not in names:
                chars = spare[_kind_of(char)]
                if not chars:
                    return None
                names[lower] = chars.pop()
            names[char] = names[lower] if lower == char else names[lower].upper()

    expression, text = (
        "".join(names.get(char, char) for char in one) for one in (expression, text)
    )
    return re2.search(expression, text) is not None


def _kind_of(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Nd":
        return "N"
    if category[0] in "LMN" or category == "Pc":
        return "L"
    return "Z" if category[0] == "Z" or char == "\x85" else ""
