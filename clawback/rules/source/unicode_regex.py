r"""Gives regular expressions Unicode's meaning: RE2 knows `\b`, `\w`, `\d` and `\s` for ASCII only.

Classes are written out. A boundary needs to see two characters, of which one may not belong to the
match. The expression is rewritten so that it takes that one as well, by the kinds of characters, of
words and others, with which each part may begin and end; it stays regular and so linear in time.
"""

# ruff: noqa: ARG002 - all parts answer the same questions, whatever they need to know
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import re2

_SILENT = re2.Options()
_SILENT.log_errors = False
WORDS = r"\p{L}\p{M}\p{N}\p{Pc}"
"""What belongs to words: letters, marks, numbers and connectors such as `_`."""
OTHERS = r"\p{Z}\p{S}\p{C}\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}"
_SPACES = r"\t-\r\x{85}\p{Z}"
_NO_SPACES = (
    r"\x00-\x08\x0e-\x1f!-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}"
    r"\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"
)
_ITEMS = {
    r"\w": WORDS,
    r"\W": OTHERS,
    r"\d": r"\p{Nd}",
    r"\D": r"\P{Nd}",
    r"\s": _SPACES,
    r"\S": _NO_SPACES,
}
_WORD, _OTHER = "w", "o"
_KINDS = (_WORD, _OTHER)
_LONGEST = 40_000
_PIECE = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\x\{[0-9A-Fa-f]+\}|\\x[0-9A-Fa-f]{2}|\\[pP](?:\{\^?\w+\}|\w)|\\[0-7]{1,3}|\\."
    r"|\(\?P?<\w+>|\(\?[a-zA-Z]*-?[a-zA-Z]*[:)]|[(|)^$.]|(?:[*+?]|\{\d+(?:,\d*)?\})\??"
    r"|\[\^?\]?(?:\[:\^?\w+:\]|\\Q.*?\\E|\\[pPx]\{\^?\w+\}|\\.|[^\]\\])*\]|.",
    re.DOTALL,
)
_ITEM = re.compile(r"\[:\^?\w+:\]|\\[pPx]\{\^?\w+\}|\\[pP]\w|\\x..|\\.|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class UnicodeRegex:
    """An expression for texts of any script.

    It `keeps_ascii` if a boundary could not be rewritten, or if it would be too large for RE2.
    """

    pattern: str
    keeps_ascii: bool = False


@lru_cache(maxsize=4096)
def translate(pattern: str) -> UnicodeRegex:
    """Translate an expression that RE2 compiles, with its flags inline."""
    pieces = [found[0] for found in _PIECE.finditer(pattern)]
    plain = "".join(_translate_piece(piece) for piece in pieces)
    if any(piece in {r"\b", r"\B"} for piece in pieces):
        try:
            rewritten = _rewrite(pieces)
        except (_Unsupported, RecursionError):
            rewritten = None
        if rewritten is not None and _compiles(rewritten):
            return UnicodeRegex(rewritten)
        return UnicodeRegex(plain if _compiles(plain) else pattern, keeps_ascii=True)

    is_usable = _compiles(plain)
    return UnicodeRegex(plain if is_usable else pattern, keeps_ascii=not is_usable)


def _compiles(pattern: str) -> bool:
    try:
        re2.compile(pattern, _SILENT)
    except re2.error:
        return False
    return True


def _translate_piece(piece: str) -> str:
    if piece in _ITEMS:
        is_other = piece == r"\W"
        return f"[^{WORDS}]" if is_other else f"[{_ITEMS[piece]}]"
    if piece.startswith("["):
        return "".join(_ITEMS.get(item, item) for item in _items_of(piece))
    return piece


def _items_of(piece: str) -> Iterator[str]:
    start = re.match(r"\[\^?\]?", piece)
    head = start[0] if start else "["
    yield head
    yield from (found[0] for found in _ITEM.finditer(piece, len(head)))


class _Unsupported(Exception):
    """The expression has a boundary beside something of which the kinds are not known."""


# ---- parts of expressions
# A part is asked for the texts that begin and end with a kind of character, between two characters
# of given kinds. The answer is an expression, or None if there are none.


class _Part:
    """A part of an expression. One that is `plain` has no boundary in it."""

    plain = True

    def empty(self, before: str, after: str) -> str | None:
        """Match no character at all."""
        return None

    def some(self, before: str, first: str | None, last: str | None, after: str) -> str | None:
        """Match characters of which the first and the last are of a kind, or of any."""
        raise NotImplementedError


class _Characters(_Part):
    """One character of a set: expressions for those of words, and for the others."""

    def __init__(self, whole: str, words: str | None, others: str | None) -> None:
        self._by_kind = {None: whole, _WORD: words, _OTHER: others}

    def some(self, before: str, first: str | None, last: str | None, after: str) -> str | None:
        if first is not None and last is not None and first != last:
            return None
        return self._by_kind[first or last]


class _Assertion(_Part):
    """An expression that takes no character, such as `^`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def empty(self, before: str, after: str) -> str | None:
        return self._text

    def some(self, before: str, first: str | None, last: str | None, after: str) -> str | None:
        return None


class _Boundary(_Assertion):
    plain = False

    def __init__(self, *, negated: bool) -> None:
        super().__init__("")
        self._negated = negated

    def empty(self, before: str, after: str) -> str | None:
        return "" if (before != after) is not self._negated else None


class _Edge(_Part):
    """What is beside the match: a character, or the beginning or end of the text."""

    def __init__(self, end: str) -> None:
        self._end = end

    def some(self, before: str, first: str | None, last: str | None, after: str) -> str | None:
        kind = first or last
        other = f"(?:{self._end}|[^{WORDS}])"
        return {_WORD: f"[{WORDS}]", _OTHER: other, None: f"(?:{self._end}|(?s:.))"}[kind]


class _Memo(_Part):
    def __init__(self) -> None:
        self._known: dict[tuple[str | None, ...], str | None] = {}

    def _remember(self, key: tuple[str | None, ...], found: str | None) -> str | None:
        if found is not None and len(found) > _LONGEST:
            raise _Unsupported
        self._known[key] = found
        return found


class _Pair(_Memo):
    """Two parts, one after the other."""

    def __init__(self, one: _Part, two: _Part) -> None:
        super().__init__()
        self._one, self._two = one, two
        self.plain = one.plain and two.plain

    def empty(self, before: str, after: str) -> str | None:
        return _join(self._one.empty(before, after), self._two.empty(before, after))

    def some(self, before: str, first: str | None, last: str | None, after: str) -> str | None:
        key = (before, first, last, after)
        if key not in self._known:
            self._remember(key, _either(list(self._ways(before, first, last, after))))
        return self._known[key]

    def _ways(
        self, before: str, first: str | None, last: str | None, after: str
    ) -> Iterator[str | None]:
        one, two = self._one, self._two
        if one.plain and two.plain:
            yield _join(one.some(before, first, None, after), two.some(before, None, last, after))
        else:
            for end, start in product(_KINDS, _KINDS):
                yield _join(one.some(before, first, end, start), two.some(end, start, last, after))
        for start in _KINDS if first is None else (first,):
            yield _join(one.empty(before, start), two.some(before, start, last, after))
        for end in _KINDS if last is None else (last,):
            yield _join(one.some(before, first, end, after), two.empty(end, after))


class _Choice(_Memo):
    """One of several parts."""

    def __init__(self, parts: list[_Part]) -> None:
        super().__init__()
        self._parts = parts
        self.plain = all(part.plain for part in parts)

    def empty(self, before: str, after: str) -> str | None:
        return _either([part.empty(before, after) for part in self._parts])

    def some(self, before: str, first: str | None, last: str | None, after: str) -> str | None:
        key = (before, first, last, after)
        if key not in self._known:
            found = [part.some(before, first, last, after) for part in self._parts]
            self._remember(key, _either(found))
        return self._known[key]


class _Repeated(_Memo):
    """A part without boundaries, from `least` to `most` times; None is without end."""

    def __init__(self, part: _Part, least: int, most: int | None) -> None:
        super().__init__()
        if not part.plain or part.empty(_OTHER, _OTHER) is not None:
            raise _Unsupported
        self._part, self._least, self._most = part, least, most

    def empty(self, before: str, after: str) -> str | None:
        return "" if self._least == 0 else None

    def some(self, before: str, first: str | None, last: str | None, after: str) -> str | None:
        part = self._part
        whole = part.some(before, None, None, after)
        least, most = self._least, self._most
        if most == 0 or whole is None:
            return None
        if first is None and last is None:
            return _repeat(whole, max(least, 1), most)

        ways: list[str | None] = []
        if least <= 1:
            ways.append(part.some(before, first, last, after))
        if most is None or most > 1:
            middle = _repeat(whole, max(least - 2, 0), None if most is None else most - 2)
            ends = (part.some(before, first, None, after), part.some(before, None, last, after))
            ways.append(_join(_join(ends[0], middle), ends[1]))
        return _either(ways)


def _repeat(text: str, least: int, most: int | None) -> str:
    if most == 0:
        return ""
    upper = "" if most is None else str(most)
    return f"(?:{text}){{{least},{upper}}}"


def _join(one: str | None, two: str | None) -> str | None:
    return None if one is None or two is None else one + two


def _either(ways: list[str | None]) -> str | None:
    found = list(dict.fromkeys(way for way in ways if way is not None))
    if len(found) < 2:  # noqa: PLR2004
        return found[0] if found else None
    return f"(?:{'|'.join(found)})"


# ---- parsing


def _rewrite(pieces: list[str]) -> str:
    """Rewrite an expression with boundaries.

    Raises:
        _Unsupported: it has something of which the kinds of characters are not known.

    """
    flags = ""
    if pieces and re.fullmatch(r"\(\?[ims]+\)", pieces[0]):
        flags, pieces = pieces[0], pieces[1:]
    parser = _Parser(pieces, sees_breaks="s" in flags)
    whole = _Pair(_Pair(_Edge(r"\A"), parser.choice()), _Edge(r"\z"))
    if parser.rest:
        raise _Unsupported

    found = whole.some(_OTHER, None, None, _OTHER)
    return flags + (found if found is not None else r"[^\x00-\x{10ffff}]")


class _Parser:
    def __init__(self, pieces: list[str], *, sees_breaks: bool) -> None:
        self._tokens = pieces
        self._at = 0
        self._dot = r"[^\n]" if not sees_breaks else r"(?s:.)"
        self._dot_other = f"[^{WORDS}]" if sees_breaks else rf"[^{WORDS}\n]"

    @property
    def rest(self) -> list[str]:
        """The pieces that have not been read."""
        return self._tokens[self._at :]

    def choice(self) -> _Part:
        """Read alternatives up to a closing parenthesis or the end."""
        parts = [self._sequence()]
        while self.rest[:1] == ["|"]:
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else _Choice(parts)

    def _sequence(self) -> _Part:
        whole: _Part = _Assertion("")
        while self.rest and self.rest[0] not in {"|", ")"}:
            part = self._repeated()
            # The plain parts stay together.
            whole = _Pair(whole, part)
        return whole

    def _repeated(self) -> _Part:
        part = self._atom(self._tokens[self._at])
        while self.rest and (found := _REPEAT.fullmatch(self.rest[0])) is not None:
            self._at += 1
            part = _repeated_part(part, *_bounds(found[1]))
        return part

    def _atom(self, piece: str) -> _Part:
        self._at += 1
        if piece in {r"\b", r"\B"}:
            return _Boundary(negated=piece == r"\B")
        if piece in {"^", "$", r"\A", r"\z"}:
            return _Assertion(piece)
        if piece == ".":
            return _Characters(self._dot, f"[{WORDS}]", self._dot_other)
        if piece.startswith("(") and not piece.endswith(")"):
            if piece not in {"(", "(?:"} and not piece.endswith(">"):
                raise _Unsupported
            inner = self.choice()
            self._at += 1
            return inner
        return _characters(piece)


_REPEAT = re.compile(r"([*+?]|\{\d+(?:,\d*)?\})\??")


def _bounds(text: str) -> tuple[int, int | None]:
    if text in "*+?":
        return (1 if text == "+" else 0), (1 if text == "?" else None)
    least, comma, most = text.strip("{}").partition(",")
    return int(least), (int(most) if most else None) if comma else int(least)


def _repeated_part(part: _Part, least: int, most: int | None) -> _Part:
    if (least, most) == (0, 1):
        return _Choice([part, _Assertion("")])
    return _Repeated(part, least, most)


# ---- characters


def _characters(piece: str) -> _Part:
    if piece.startswith("["):
        return _class(piece)
    if piece.startswith(r"\Q"):
        whole: _Part = _Assertion("")
        for char in piece.removeprefix(r"\Q").removesuffix(r"\E"):
            whole = _Pair(whole, _characters(re.escape(char) if char.isascii() else char))
        return whole
    kinds = _kinds_of(piece)
    text = _translate_piece(piece)
    return _Characters(text, kinds.get(_WORD), kinds.get(_OTHER))


def _class(piece: str) -> _Part:
    head, *items, _ = _items_of(piece)
    whole = _translate_piece(piece)
    inside = whole.removeprefix("[^").removeprefix("[").removesuffix("]")
    if head.startswith("[^"):
        return _Characters(whole, f"[^{inside}{OTHERS}]", f"[^{inside}{WORDS}]")

    items = (["]"] if head.endswith("]") else []) + items
    found: dict[str, list[str]] = {_WORD: [], _OTHER: []}
    at = 0
    while at < len(items):
        is_range = items[at + 1 : at + 2] == ["-"] and at + 2 < len(items)
        one = "".join(items[at : at + 3]) if is_range else items[at]
        for kind, text in (
            _range_kinds(items[at], items[at + 2]) if is_range else _kinds_of(one)
        ).items():
            found[kind].append(text)
        at += 3 if is_range else 1
    return _Characters(whole, _either([*found[_WORD]]), _either([*found[_OTHER]]))


def _range_kinds(low: str, high: str) -> dict[str, str]:
    first, last = _code_of(low), _code_of(high)
    if first is None or last is None or last - first > 0x400:  # noqa: PLR2004
        raise _Unsupported
    kinds = {_is_word(chr(code)) for code in range(first, last + 1)}
    text = f"[{low}-{high}]"
    if len(kinds) == 1:
        return {_WORD if kinds.pop() else _OTHER: text}
    split: dict[str, str] = {}
    for kind in _KINDS:
        chars = [code for code in range(first, last + 1) if _is_word(chr(code)) is (kind == _WORD)]
        split[kind] = "[" + "".join(f"\\x{{{code:x}}}" for code in chars) + "]"
    return split


def _kinds_of(item: str) -> dict[str, str]:
    """Give expressions for the characters of words in an item, and for the others."""
    if item in _CLASSES:
        return _CLASSES[item]
    if _WORD_ITEM.fullmatch(item):
        return {_WORD: f"[{item}]"}
    if _OTHER_ITEM.fullmatch(item):
        return {_OTHER: f"[{item}]"}

    code = _code_of(item)
    if code is None:
        raise _Unsupported
    kind = _WORD if _is_word(chr(code)) else _OTHER
    return {kind: item if len(item) > 1 or not item.isascii() else re.escape(item)}


_CLASSES = {
    r"\w": {_WORD: f"[{WORDS}]"},
    r"\d": {_WORD: r"[\p{Nd}]"},
    r"\s": {_OTHER: f"[{_SPACES}]"},
    r"\W": {_OTHER: f"[^{WORDS}]"},
    r"\D": {_WORD: r"[\p{L}\p{M}\p{Nl}\p{No}\p{Pc}]", _OTHER: f"[^{WORDS}]"},
    r"\S": {_WORD: f"[{WORDS}]", _OTHER: f"[^{WORDS}{_SPACES}]"},
}
_WORD_ITEM = re.compile(
    r"\\p\{?[LMN][a-z]?\}?|\\p\{Pc\}|\[:(?:alpha|alnum|digit|word|lower|upper|xdigit):\]"
)
_OTHER_ITEM = re.compile(r"\\p\{?[ZS][a-z]?\}?|\\p\{P[desifo]\}|\[:(?:space|blank|cntrl):\]")


def _code_of(item: str) -> int | None:
    if len(item) == 1:
        return ord(item)
    if (found := re.fullmatch(r"\\x\{?([0-9A-Fa-f]+)\}?", item)) is not None:
        return int(found[1], 16)
    if item[1:] in _CONTROLS:
        return _CONTROLS[item[1:]]
    is_sign = len(item) == 2 and not item[1].isalnum()  # noqa: PLR2004
    return ord(item[1]) if item[0] == "\\" and is_sign else None


_CONTROLS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11, "a": 7}


def _is_word(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LMN" or category == "Pc"
