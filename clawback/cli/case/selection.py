"""Held cases of one rule that people decide together, and what identifies exactly these."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clawback.cases import CaseState
from clawback.cases.hold_cause import HoldCause
from clawback.model.texts import plural
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter

MOST_TOGETHER = 5_000
"""Cases in one decision. Each takes an update; their list is read from the index."""
_SHOWN = 20


@dataclass(frozen=True)
class HeldSelection:
    """Held cases as the index shows them: each with the digest of what it proposes."""

    cases: tuple[CaseLine, ...]

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the proposal of each case, by its id."""
        return {one.id: one.summary.digest for one in self.cases if one.summary is not None}

    @property
    def digest(self) -> str:
        """`<cases>-<hash>`: equal exactly if cases and their proposals are."""
        canonical = json.dumps(sorted(self.digests.items())).encode()
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
        summaries = [one.summary for one in self.cases if one.summary is not None]
        messages = sum(one.messages for one in summaries)
        yield f"{plural(len(self.cases), 'held case')} with {plural(messages, 'message')}"
        actions = Counter(one for summary in summaries for one in summary.proposes)
        for action, count in actions.most_common():
            yield f"would {action}: {plural(count, 'case')}"
        causes = Counter(one.hold_cause for one in summaries if one.hold_cause is not None)
        for cause, count in causes.most_common():
            yield f"held for {cause}: {plural(count, 'case')}"

        if moved := sum(one.moved_while_held for one in summaries):
            yield f"moved aside while held: {plural(moved, 'message')}, which a denial returns"

        for case, summary in zip(self.cases[:_SHOWN], summaries, strict=False):
            yield f"  {case.id}  {plural(summary.messages, 'message')} from {summary.sender}"
        if len(self.cases) > _SHOWN:
            yield f"  and {len(self.cases) - _SHOWN:,} more"
        yield f"Digest {self.digest}"


async def read_selection(cases: CaseGateway, rule: str, cause: HoldCause | None) -> HeldSelection:
    """Read the held cases of a rule, the oldest first; all causes if none is given.

    What cannot be read is left out, and is decided alone.
    """
    wanted = CaseFilter(state=CaseState.HELD, rule=rule)
    found = await cases.find(wanted, MOST_TOGETHER)
    return HeldSelection(tuple(_fitting(found, cause)))


def _fitting(found: Sequence[CaseLine], cause: HoldCause | None) -> Iterator[CaseLine]:
    for line in reversed(found):
        summary = line.summary
        is_known = line.state == CaseState.HELD and summary is not None and bool(summary.digest)
        if is_known and summary is not None and cause in {None, summary.hold_cause}:
            yield line
