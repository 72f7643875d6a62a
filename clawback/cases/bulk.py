"""Many held cases that people decide together: what they are shown, and what identifies it.

A decision about many cases names them: it never means "all that match".
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from clawback.cases.summary import CaseSummary
from clawback.model.texts import plural

_DIGEST_LENGTH = 12


@dataclass(frozen=True)
class HeldCase:
    """One held case: the summary of each part of it that is held, by the id of the part.

    A campaign too large for one case has several, each with a digest of its own.
    """

    id: str
    parts: Mapping[str, CaseSummary]

    @property
    def digests(self) -> dict[str, str]:
        """The digest of what each part proposes."""
        return {part: one.digest for part, one in self.parts.items()}

    @property
    def messages(self) -> int:
        """The messages of its held parts."""
        return sum(one.messages for one in self.parts.values())

    @property
    def first(self) -> CaseSummary:
        """The summary of its first held part, which names a sender and a cause."""
        return next(iter(self.parts.values()))


@dataclass(frozen=True)
class HeldSelection:
    """Held cases, each as it was read.

    `not_held` has the state of cases that were asked for and wait for no decision, by id. If the
    selection `is_cut`, one decision does not take all cases that it should have.
    """

    cases: tuple[HeldCase, ...]
    not_held: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False

    @property
    def messages(self) -> int:
        """The messages of all cases."""
        return sum(case.messages for case in self.cases)

    @property
    def moved_while_held(self) -> int:
        """How many messages were moved aside while their case was held."""
        return sum(one.moved_while_held for case in self.cases for one in case.parts.values())

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each held part of each case, by the id of the part."""
        return {part: one for case in self.cases for part, one in case.digests.items()}

    @property
    def digest(self) -> str:
        """`<cases>-<messages>-<hash>`: equal exactly if cases, held parts and proposals are."""
        canonical = json.dumps(sorted(self.digests.items())).encode()
        hashed = hashlib.sha256(canonical).hexdigest()[:_DIGEST_LENGTH]
        return f"{len(self.cases)}-{self.messages}-{hashed}"

    def count_proposed(self) -> list[tuple[str, int]]:
        """Count the cases by what they would do, the most frequent first."""
        return self._count(lambda one: one.proposes)

    def count_causes(self) -> list[tuple[str, int]]:
        """Count the cases by why they are held, the most frequent first."""
        return self._count(lambda one: [one.hold_cause] if one.hold_cause else [])

    def _count(self, texts: Callable[[CaseSummary], Iterable[str]]) -> list[tuple[str, int]]:
        each = ({text for one in case.parts.values() for text in texts(one)} for case in self.cases)
        return Counter(text for found in each for text in found).most_common()

    def describe_change(self, digest: str) -> str | None:
        """Say how this differs from the selection of a digest; None if it is the same."""
        if digest == self.digest:
            return None
        count, _, _ = digest.partition("-")
        more = len(self.cases) - int(count) if count.isdecimal() else 0
        change = f"{plural(more, 'more case')}" if more > 0 else "other cases or messages"
        return f"changed since it was shown: {change}. Its digest is now {self.digest}"

    def find_changed(self, shown: Mapping[str, str]) -> tuple[str, ...]:
        """Name the parts that are not as in `shown` (digest by part): new, gone or different."""
        now = self.digests
        every = dict.fromkeys((*shown, *now))
        return tuple(part for part in every if shown.get(part) != now.get(part))
