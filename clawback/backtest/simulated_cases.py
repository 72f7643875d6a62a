"""From the matches of a group to the cases production would have opened for it, and what each would have done. Pure.

A case takes what arrives until it has been quiet for as long as cases linger (a watching one: its
window longer); then the next match opens another. Records are taken to be seen when they happened,
and approvals to be given at once.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clawback.actions import Action, BlockSender, BulkMove, PolicyAction, Scope, gives_back
from clawback.backtest.replay import Seen, Version
from clawback.cases import CaseTiming
from clawback.cases.plan import CasePlan
from clawback.correlation.sliding_window import CorrelationWindow, find_window
from clawback.model.addresses import pattern_problem
from clawback.rules.source.safety import Safety

LINGER = CaseTiming().linger


@dataclass(frozen=True, slots=True)
class SimulatedOutcome:
    """One thing a case would have done.

    An action on one message (or on the case, where it says `target` of none), and when.
    """

    action: str
    at: datetime
    target: str = ""


@dataclass(frozen=True)
class SimulatedCase:
    """One case: what it saw, when it came to respond (None.

    Its threshold was never met), what it would have done and what it could not.
    """

    plan: CasePlan
    seen: tuple[Seen, ...]
    responds_at: datetime | None
    done: tuple[SimulatedOutcome, ...]
    refused: Counter[str]

    @property
    def messages(self) -> frozenset[str]:
        """The messages it is about."""
        return frozenset(target for one in self.seen for target in one.targets)


def simulate_cases(version: Version) -> Iterator[SimulatedCase]:
    """Give every case of a version, group by group."""
    for plan, seen in version.cases.values():
        ordered = sorted(seen, key=lambda one: (one.at, one.key))
        for part, responds_at in _split(plan.watch, ordered):
            done, refused = (
                _work(plan, part, responds_at, version.rules.safety)
                if responds_at
                else ((), Counter[str]())
            )
            yield SimulatedCase(plan, tuple(part), responds_at, done, refused)


def _split(
    watch: CorrelationWindow | None, seen: Sequence[Seen]
) -> Iterator[tuple[Sequence[Seen], datetime | None]]:
    start = 0
    sightings = [one.sighting for one in seen] if watch is not None else []
    while start < len(seen):
        fired = start + 1
        if watch is not None:
            reach = _reach(seen, start + 1, LINGER + watch.reach)
            window = find_window(watch, sightings[start:reach])
            if window is None:
                yield seen[start:reach], None
                start = reach
                continue
            fired = (
                next(
                    index
                    for index in range(start, reach)
                    if _is_end(seen[index], window[-1].key, window[-1].at)
                )
                + 1
            )
        end = _reach(seen, fired, LINGER)
        yield seen[start:end], seen[fired - 1].at
        start = end


def _is_end(one: Seen, key: str, at: datetime) -> bool:
    return one.key == key and one.at == at


def _reach(seen: Sequence[Seen], after: int, quiet: timedelta) -> int:
    """Give where a case closes that has taken everything before `after`.

    At the first pause longer than `quiet`.
    """
    while after < len(seen) and seen[after].at - seen[after - 1].at <= quiet:
        after += 1
    return after


def _work(
    plan: CasePlan, seen: Sequence[Seen], responds_at: datetime, safety: Safety
) -> tuple[tuple[SimulatedOutcome, ...], Counter[str]]:
    done: list[SimulatedOutcome] = []
    refused = Counter[str]()
    first = {target: one.at for one in reversed(seen) for target in one.targets}
    handled = {target for one in seen if one.handled for target in one.targets}
    for action in plan.actions:
        if isinstance(action, BulkMove):
            continue  # nobody knows what a search would have found
        if action.scope is Scope.MESSAGE:
            left_alone = set[str]() if gives_back(action) else handled
            done += [
                SimulatedOutcome(action.name, max(at, responds_at), target)
                for target, at in first.items()
                if target not in left_alone
            ]
            refused["already dealt with"] += sum(target in left_alone for target in first)
            refused["no message"] += sum(not one.targets for one in seen)
        elif (problem := _impossible(action, safety, known=bool(first))) is None:
            done.append(SimulatedOutcome(action.name, responds_at))
        else:
            refused[problem.replace("_", " ")] += 1
    return tuple(done), +refused


def _impossible(action: Action, safety: Safety, *, known: bool) -> str | None:
    if isinstance(action, BlockSender):
        return safety.refuses(action) or pattern_problem(action.pattern, action.kind)
    if isinstance(action, PolicyAction):
        return safety.refuses(action) or action.problem
    return None if known else "no message"
