"""From the matches of a group to the cases production would have opened for it, and what each would have done. Pure.

A case takes what arrives until it has been quiet for as long as cases linger (a watching one: its
window longer); then the next match opens another. Records are taken to be seen when they happened,
and approvals to be given at once.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clawback.actions import Action, Scope
from clawback.actions.outcomes import ALREADY_THERE, failed
from clawback.backtest.replay import Seen, Version
from clawback.cases import CaseTiming
from clawback.cases.plan import CasePlan
from clawback.correlation.sliding_window import CorrelationWindow, find_window
from clawback.model.messages import Target
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
        return frozenset(target.id for one in self.seen for target in one.targets)


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
    first = {target.id: one.at for one in reversed(seen) for target in one.targets}
    targets = {target.id: target for one in reversed(seen) for target in one.targets}
    handled = {target.id for one in seen if one.handled for target in one.targets}
    for action in plan.actions:
        if action.needs_search:
            continue  # nobody knows what a search would have found
        known = _known(action, list(targets.values()), handled, safety)
        refused.update(_in_words(outcome) for outcome in known.values())
        if action.scope is Scope.MESSAGE:
            done += [
                SimulatedOutcome(action.name, max(at, responds_at), target)
                for target, at in first.items()
                if target not in known
            ]
            refused["no message"] += sum(not one.targets for one in seen)
        elif not known:
            done.append(SimulatedOutcome(action.name, responds_at))
    return tuple(done), +refused


def _known(
    action: Action, targets: Sequence[Target], handled: Collection[str], safety: Safety
) -> dict[str, str]:
    """Outcomes that are known without asking the API, by subject."""
    if (reason := safety.refuses(action)) is not None:
        return dict.fromkeys(action.subjects(targets), failed(reason))
    return action.precheck(targets, handled)


def _in_words(outcome: str) -> str:
    if outcome == ALREADY_THERE:
        return "already dealt with"
    return outcome.removeprefix(failed("")).replace("_", " ")
