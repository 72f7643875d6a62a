"""Sends matches to where they belong: a correlation shard that counts them, or their case."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from temporalio.client import Client

from clawback.cases import CasePlan, CaseTiming, Match
from clawback.temporal import names
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_sender import CaseRefused
from clawback.temporal.correlation_gateway import CorrelationGateway
from clawback.temporal.fan_out import CONCURRENT_SIGNALS, gather_limited

PlannedMatches = tuple[CasePlan, Sequence[Match]]


class Delivery(NamedTuple):
    """What goes to one workflow: matches of one case, or all that a correlation shard counts."""

    recipient: str
    found: Sequence[PlannedMatches]


class RefusedMatches(NamedTuple):
    """Matches that did not reach their recipient, and why."""

    plan: CasePlan
    matches: Sequence[Match]
    error: CaseRefused


class MatchGateway:
    """Delivers matches over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self._cases = CaseGateway(client)
        self._correlations = CorrelationGateway(client)

    async def deliver(self, delivery: Delivery, timing: CaseTiming) -> list[RefusedMatches]:
        """Send matches to their recipient; return those that it refused.

        Safe to repeat: shards and cases drop matches that they have.

        Raises:
            RPCError: the server does not answer.

        """
        counted = [one for one in delivery.found if one[0].correlation is not None]
        refusals = await self._correlations.send_matches(counted, timing.linger)
        refused = [
            RefusedMatches(plan, matches, error)
            for plan, matches in counted
            for error in refusals.values()
        ]
        for plan, matches in delivery.found:
            if plan.correlation is None:
                refused += await self._send_to_case(plan, matches, timing)
        return refused

    async def drop_known(self, found: Iterable[PlannedMatches]) -> list[PlannedMatches]:
        """Leave out what a case has already, also a closed one: a sweep reads old mail again."""

        async def select(planned: PlannedMatches) -> PlannedMatches:
            plan, matches = planned
            return plan, await self._cases.drop_known(plan.case_id, list(matches))

        selected = await gather_limited(select, found, CONCURRENT_SIGNALS)
        return [(plan, matches) for plan, matches in selected if matches]

    async def _send_to_case(
        self, plan: CasePlan, matches: Sequence[Match], timing: CaseTiming
    ) -> list[RefusedMatches]:
        try:
            await self._cases.signal_matches(plan, matches, timing)
        except CaseRefused as error:
            return [RefusedMatches(plan, matches, error)]
        return []


def group_by_recipient(found: Iterable[PlannedMatches]) -> list[Delivery]:
    """Group matches by where they go: shards first, because they are few and take many matches.

    Then cases, those with the newest mail first: it has waited least, and may still be stopped.
    """
    shards: dict[str, list[PlannedMatches]] = {}
    cases: list[Delivery] = []
    for plan, matches in found:
        if plan.correlation is None:
            cases.append(Delivery(plan.case_id, [(plan, matches)]))
        else:
            shards.setdefault(names.correlation_id(plan.case_id), []).append((plan, matches))

    cases.sort(key=_newest, reverse=True)
    return [*map(Delivery, shards.keys(), shards.values()), *cases]


def _newest(delivery: Delivery) -> float:
    return max(match.at.timestamp() for _, matches in delivery.found for match in matches)
