"""What a regular expression cannot match without.

Literals, one of which is in every text it matches. Conservative: in doubt, none.

The index looks for these first and runs RE2 only where one was found. Literals are folded, and
ASCII only, so that RE2's own ideas of upper and lower case cannot disagree with ours.
"""

import re
from dataclasses import dataclass

_REPEAT = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_GROUP = re.compile(r"\?(?:P?<[A-Za-z0-9_]+>|[imsU-]*:)")
_FLAGS = re.compile(r"\?[imsU-]+\)")
_EMPTY = frozenset("bBAz")
_CLASSES = frozenset("dDwWsSntrfva")
_MOST_COVERS = 4
_POSIX = re.compile(r"\[:\^?[a-z]+:\]")


class _GaveUp(ValueError):
    """Something whose literals are not worth finding out."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a pattern.

    The exact text it stands for, if it is one; else literals one of which must be there, if known.

    `covers` has every such choice of literals that the piece itself asks for, the best first;
    `cover` is that one.
    """

    exact: str | None = None
    cover: frozenset[str] | None = None
    covers: tuple[frozenset[str], ...] = ()

    @property
    def needed(self) -> frozenset[str] | None:
        return frozenset({self.exact}) if self.exact else self.cover


_ANYTHING = _Part()


def required_literals(pattern: str) -> frozenset[str] | None:
    """Give literals, at least one of which is in the folded form of every text that the pattern is found in; None if there are none."""
    part = _read(pattern)
    return part.needed if part else None


def required_covers(pattern: str) -> tuple[frozenset[str], ...]:
    """Give several choices of such literals: of each, at least one must be there.

    The first is what `required_literals` gives.
    """
    part = _read(pattern)
    if part is None or part.needed is None:
        return ()
    return part.covers[:_MOST_COVERS] or (part.needed,)


def _read(pattern: str) -> _Part | None:
    scanner = _Scanner(pattern)
    try:
        part = scanner.alternation()
    except (_GaveUp, RecursionError, IndexError):
        return None
    return part if scanner.at == len(pattern) else None


def _strength(cover: frozenset[str]) -> tuple[int, int]:
    return min(len(literal) for literal in cover), -len(cover)


class _Scanner:
    """Reads a pattern from left to right; RE2 has already said that it is well formed."""

    def __init__(self, pattern: str) -> None:
        self.at = 0
        self._pattern = pattern

    def alternation(self) -> _Part:
        """Read alternatives up to the end of the group."""
        parts = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            parts.append(self._sequence())
        if len(parts) == 1:
            return parts[0]
        covers = [part.needed for part in parts]
        return (
            _Part(cover=frozenset().union(*(cover for cover in covers if cover)))
            if all(covers)
            else _ANYTHING
        )

    def _peek(self) -> str:
        return self._pattern[self.at] if self.at < len(self._pattern) else ""

    def _sequence(self) -> _Part:
        run, exact, covers = "", True, list[frozenset[str]]()
        while self._peek() not in {"", "|", ")"}:
            part = self._atom()
            least, once = self._quantity()
            if least and part.exact is not None:
                run += part.exact
            elif least and part.cover:
                covers.append(part.cover)
            if not (once and part.exact is not None):
                exact = False
                covers.append(frozenset({run}))
                run = ""
        if exact:
            return _Part(exact=run)
        useful = [cover for cover in [*covers, frozenset({run})] if all(cover)]
        best = tuple(sorted(useful, key=_strength, reverse=True))
        return _Part(cover=best[0], covers=best) if best else _ANYTHING

    def _quantity(self) -> tuple[bool, bool]:
        """Read a quantifier: whether the atom is there at least once, and whether exactly once."""
        least, once = True, True
        while (character := self._peek()) and (
            character in "*+?" or (character == "{" and _REPEAT.match(self._pattern, self.at))
        ):
            repeat = _REPEAT.match(self._pattern, self.at)
            least = least and not (
                character in "*?" or (repeat is not None and int(repeat[1]) == 0)
            )
            once = False
            self.at = repeat.end() if repeat else self.at + 1
            if self._peek() == "?":
                self.at += 1
        return least, once

    def _atom(self) -> _Part:
        character = self._pattern[self.at]
        self.at += 1
        match character:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case ".":
                return _ANYTHING
            case "^" | "$":
                return _Part(exact="")
            case _:
                return _Part(exact=character.casefold()) if character.isascii() else _ANYTHING

    def _group(self) -> _Part:
        if flags := _FLAGS.match(self._pattern, self.at):
            self.at = flags.end()
            return _Part(exact="")
        if self._peek() == "?":
            named = _GROUP.match(self._pattern, self.at)
            if named is None:
                raise _GaveUp
            self.at = named.end()
        part = self.alternation()
        if self._peek() != ")":
            raise _GaveUp
        self.at += 1
        return part

    def _class(self) -> _Part:
        if self._peek() == "^":
            self.at += 1
        first = True
        while first or self._peek() != "]":
            posix = _POSIX.match(self._pattern, self.at)
            if self.at >= len(self._pattern):
                raise _GaveUp
            self.at = posix.end() if posix else self.at + (2 if self._peek() == "\\" else 1)
            first = False
        self.at += 1
        return _ANYTHING

    def _escape(self) -> _Part:
        character = self._pattern[self.at]
        self.at += 1
        if character in _EMPTY:
            return _Part(exact="")
        if character in _CLASSES:
            return _ANYTHING
        if character.isalnum() or not character.isascii():
            raise _GaveUp
        return _Part(exact=character)
