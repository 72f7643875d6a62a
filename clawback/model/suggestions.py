"""What somebody probably meant by an unknown word: a known one that is spelled almost like it."""

from collections.abc import Iterable, Sequence

from clawback.model.edit_distance import edit_distance

_MOST_SHOWN = 3
_SHORTEST_PREFIX = 3
_LONGEST_WORD = 80


def find_near(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """Find the known words that a word is meant to be: none, one, or several that are as close.

    Case, dashes, blanks and underscores do not count. Otherwise one edit is forgiven in words of
    three to five letters, two in words of up to nine, three in longer ones; or the word is the
    beginning of a known one.
    """
    folded = _fold(word)
    if not folded or len(folded) > _LONGEST_WORD:
        return ()

    names = {name: _fold(name) for name in known}
    distances = {
        name: edit_distance(folded, other)
        for name, other in names.items()
        if abs(len(other) - len(folded)) <= _edits_of(folded)
    }
    least = min(distances.values(), default=len(folded))
    if least <= _edits_of(folded):
        return tuple(name for name, distance in distances.items() if distance == least)
    if len(folded) < _SHORTEST_PREFIX:
        return ()
    return tuple(name for name, other in names.items() if other.startswith(folded))


def nearest(word: str, known: Iterable[str]) -> str:
    """Find the one known word that a word is meant to be; empty if there is none or several."""
    found = find_near(word, known)
    return found[0] if len(found) == 1 else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest what to write for an unknown name: the closest known ones, or the list of all."""
    names = list(dict.fromkeys(known))
    found = find_near(word, names)
    if found and len(found) <= _MOST_SHOWN:
        return f"did you mean {_join([repr(name) for name in found])}?"
    return f"use one of {', '.join(names)}" if names else "none is defined"


def _join(texts: Sequence[str]) -> str:
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _fold(word: str) -> str:
    return "".join(char for char in word.casefold() if char not in "-_ ")


def _edits_of(word: str) -> int:
    length = len(word)
    return 0 if length <= 2 else 1 if length <= 5 else 2 if length <= 9 else 3  # noqa: PLR2004
