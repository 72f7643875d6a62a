"""Confusable texts and imitated domains by definition: the oracle for the engine's."""

import unicodedata
from functools import cache
from importlib.resources import files

from tests.rules.public_suffixes import registered

_IGNORABLE = {"\u00ad", "\u200b", "\u200c", "\u200d", "\ufeff", "\ufe0f"}


@cache
def _prototypes() -> dict[str, str]:
    text = (files("clawback.model") / "confusables.txt").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line[0] != "#":
            source, _, target = line.partition(";")
            found[chr(int(source, 16))] = "".join(chr(int(one, 16)) for one in target.split(" "))
    return found


def _skeleton(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    mapped = [_prototypes().get(char, char) for char in decomposed if char not in _IGNORABLE]
    return unicodedata.normalize("NFD", "".join(mapped))


def both_skeletons(text: str) -> list[str]:
    """The skeleton of the small letters, and that of what the text looks like in small letters."""
    plain = " ".join(text.split())
    return [
        " ".join(_skeleton(one).split()).replace("i", "l")
        for one in (plain.casefold(), _skeleton(plain).casefold())
    ]


def imitates(domain: str, targets: tuple[str, ...]) -> bool:
    """Whether a domain in ASCII is like one of the targets and none of them."""
    host = registered(domain.lower())
    genuine = {registered(target) for target in targets}
    return bool(host) and host not in genuine and any(_is_like(host, one) for one in genuine)


def _is_like(host: str, target: str) -> bool:
    if any(one in both_skeletons(target) for one in both_skeletons(host)):
        return True
    return any(
        _distance(one, other) <= (2 if len(other) >= 10 else 1)
        for one in both_skeletons(host.partition(".")[0])
        for other in both_skeletons(target.partition(".")[0])
        if len(other) >= 5
    )


def _distance(text: str, other: str) -> int:
    @cache
    def distance(at: int, to: int) -> int:
        if not at or not to:
            return at + to
        costs = [
            distance(at - 1, to) + 1,
            distance(at, to - 1) + 1,
            distance(at - 1, to - 1) + (text[at - 1] != other[to - 1]),
        ]
        if at > 1 and to > 1 and text[at - 2 : at] == other[to - 1] + other[to - 2]:
            costs.append(distance(at - 2, to - 2) + 1)
        return min(costs)

    return distance(len(text), len(other))
