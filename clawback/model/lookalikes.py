"""Domains that imitate others: a few edits, confusable letters, or another public suffix."""

from collections.abc import Collection, Iterator

from clawback.model.confusables import skeletons_of
from clawback.model.domains import registered_domain
from clawback.model.edit_distance import edit_distance
from clawback.model.memo import memoized
from clawback.model.notations import unicode_domain

_SHORTEST = 5
"""Characters: shorter names differ by an edit from too many others."""
_SHORTEST_FOR_TWO = 10
_MOST_EDITS = 2


class Lookalikes:
    """The domains that may be imitated; subdomains count as their registered domains.

    Only the name before the public suffix is compared: one edit (a character inserted, deleted,
    replaced, or swapped with the next) in names of 5 to 9 characters, two in longer ones. Names
    that are shorter are imitated by a whole domain that looks the same.
    """

    def __init__(self, domains: Collection[str]) -> None:
        registered = {registered_domain(domain): domain for domain in domains}
        self._genuine = frozenset(domain for domain in registered if domain)
        self._whole: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._shortened: dict[str, set[str]] = {}

        for domain in sorted(self._genuine):
            for skeleton in skeletons_of(unicode_domain(domain)):
                self._whole.setdefault(skeleton, domain)
            self._add_name(domain)

        self._longest = max(map(len, self._names), default=0) + _MOST_EDITS
        self.find = memoized(self._find)

    def _add_name(self, domain: str) -> None:
        for name in skeletons_of(_name_of(domain)):
            if len(name) >= _SHORTEST:
                self._names.setdefault(name, domain)
                for one in _shorten(name, _edits_of(name)):
                    self._shortened.setdefault(one, set()).add(name)

    def _find(self, domain: str) -> str | None:
        """Give the domain that another one imitates; None for a genuine or an unlike one."""
        registered = registered_domain(domain)
        if registered is None or registered in self._genuine:
            return None

        seen = unicode_domain(registered)
        for skeleton in dict.fromkeys(skeletons_of(seen)):
            if (found := self._whole.get(skeleton)) is not None:
                return found
        for name in dict.fromkeys(skeletons_of(_name_of(registered))):
            if (found := self._find_name(name)) is not None:
                return found
        return None

    def _find_name(self, name: str) -> str | None:
        if len(name) > self._longest:
            return None
        near = {
            target
            for one in _shorten(name, _MOST_EDITS)
            for target in self._shortened.get(one, ())
            if edit_distance(name, target) <= _edits_of(target)
        }
        return self._names[min(near)] if near else None


def _name_of(domain: str) -> str:
    """Give the part of a registered domain that somebody chose."""
    return unicode_domain(domain).partition(".")[0]


def _edits_of(name: str) -> int:
    return _MOST_EDITS if len(name) >= _SHORTEST_FOR_TWO else 1


def _shorten(name: str, times: int) -> Iterator[str]:
    """Give a name and what is left of it without up to `times` characters.

    Two names that are so many edits apart have one of these in common, a swap included.
    """
    found = {name}
    for _ in range(times):
        found |= {one[:at] + one[at + 1 :] for one in found for at in range(len(one))}
    return iter(found)
