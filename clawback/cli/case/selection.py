"""Held cases of one rule that people decide together, and what identifies exactly these."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clawback.cases import CaseState
from clawback.cases.hold_cause import HoldCause
from clawback.cases.summary import CaseSummary
from clawback.model.texts import plural
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_gateway import CaseGateway

MOST_TOGETHER = 5_000
"""Cases, or parts of large campaigns, in one decision. Each takes an update.

Their list is read from the index.
"""
_SHOWN = 20


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


@dataclass(frozen=True)
class HeldSelection:
    """Held cases as the index shows them. If it `is_cut`, one decision does not take them all."""

    cases: tuple[HeldCase, ...]
    is_cut: bool = False

    @property
    def digest(self) -> str:
        """`<cases>-<hash>`: equal exactly if cases, their held parts and proposals are."""
        digests = sorted(one for case in self.cases for one in case.digests.items())
        canonical = json.dumps(digests).encode()
        return f"{len(self.cases)}-{hashlib.sha256(canonical).hexdigest()[:12]}"

    def describe_change(self, digest: str) -> str | None:
        """Say how this differs from the selection of a digest; None if it is the same."""
        if digest == self.digest:
            return None
        count, _, _ = digest.partition("-")
        more = len(self.cases) - int(count) if count.isdecimal() else 0
        change = f"{plural(more, 'more case')}" if more > 0 else "other cases or messages"
        return f"changed since it was shown: {change}. Its digest is now {self.digest}"

    def lines(self) -> Iterator[str]:
        """Describe it for whoever decides: how much it is, why it is held, and the first cases."""
        messages = sum(case.messages for case in self.cases)
        yield f"{plural(len(self.cases), 'held case')} with {plural(messages, 'message')}"
        if self.is_cut:
            yield f"more are held: one decision takes {MOST_TOGETHER:,}, decide the rest after it"
        for action, count in self._count(lambda one: one.proposes):
            yield f"would {action}: {plural(count, 'case')}"
        for cause, count in self._count(lambda one: [one.hold_cause] if one.hold_cause else []):
            yield f"held for {cause}: {plural(count, 'case')}"

        summaries = [one for case in self.cases for one in case.parts.values()]
        if moved := sum(one.moved_while_held for one in summaries):
            yield f"moved aside while held: {plural(moved, 'message')}, which a denial returns"

        for case in self.cases[:_SHOWN]:
            first = next(iter(case.parts.values()))
            yield f"  {case.id}  {plural(case.messages, 'message')} from {first.sender}"
        if len(self.cases) > _SHOWN:
            yield f"  and {len(self.cases) - _SHOWN:,} more"
        yield f"Digest {self.digest}"

    def _count(self, texts: Callable[[CaseSummary], Iterable[str]]) -> list[tuple[str, int]]:
        """Count in how many cases each text occurs, the most frequent first."""
        each = ({text for one in case.parts.values() for text in texts(one)} for case in self.cases)
        return Counter(text for found in each for text in found).most_common()


async def read_selection(cases: CaseGateway, rule: str, cause: HoldCause | None) -> HeldSelection:
    """Read the held cases of a rule, the oldest first; all causes if none is given.

    What cannot be read is left out, and is decided alone.
    """
    found = await cases.find_held(rule, MOST_TOGETHER)
    return select_held(found, cause, is_cut=len(found) == MOST_TOGETHER)


def select_held(
    found: Sequence[CaseLine], cause: HoldCause | None, *, is_cut: bool = False
) -> HeldSelection:
    """Take the held cases out of lines of the index, those of one cause if it is given."""
    parts: dict[str, dict[str, CaseSummary]] = {}
    for line in found:
        summary = line.summary
        if line.state != CaseState.HELD or summary is None or not summary.digest:
            continue
        if cause in {None, summary.hold_cause}:
            case, _ = names.case_and_part(line.id)
            parts.setdefault(case, {})[line.id] = summary
    return HeldSelection(tuple(HeldCase(*one) for one in parts.items()), is_cut=is_cut)
