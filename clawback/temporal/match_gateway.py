"""Sends matches to where they belong: a correlation shard that counts them, or their case."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from temporalio.client import Client

from clawback.cases import CasePlan, CaseTiming, Match
from clawback.temporal import names
from clawback.temporal.case_gateway import CaseGateway, CaseRefused
from clawback.temporal.correlation_gateway import CorrelationGateway
from clawback.temporal.fan_out import CONCURRENT_SIGNALS, gather_limited

PlannedMatches = tuple[CasePlan, Sequence[Match]]


class RefusedMatches(NamedTuple):
    """Matches that did not reach their recipient, and why."""

    plan: CasePlan
    matches: Sequence[Match]
    error: CaseRefused


class MatchGateway:
    """Dispatches matches over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self._cases = CaseGateway(client)
        self._correlations = CorrelationGateway(client)

    async def send(
        self, found: Iterable[PlannedMatches], timing: CaseTiming
    ) -> list[RefusedMatches]:
        """Send the matches of a page; return those that were refused.

        Safe to repeat: shards and cases drop matches that they have.

        Raises:
            RPCError: the server does not answer.

        """
        found = list(found)
        counted = [one for one in found if one[0].correlation is not None]
        direct = [one for one in found if one[0].correlation is None]
        refusals = await self._correlations.send_matches(counted, timing.linger)
        refused = [
            RefusedMatches(plan, matches, refusals[shard])
            for plan, matches in counted
            if (shard := names.correlation_id(plan.case_id)) in refusals
        ]
        return refused + await self._send_to_cases(direct, timing)

    async def drop_known(self, found: Iterable[PlannedMatches]) -> list[PlannedMatches]:
        """Leave out what a case has already, also a closed one: a sweep reads old mail again."""

        async def select(planned: PlannedMatches) -> PlannedMatches:
            plan, matches = planned
            return plan, await self._cases.drop_known(plan.case_id, list(matches))

        selected = await gather_limited(select, found, CONCURRENT_SIGNALS)
        return [(plan, matches) for plan, matches in selected if matches]

    async def _send_to_cases(
        self, found: Iterable[PlannedMatches], timing: CaseTiming
    ) -> list[RefusedMatches]:
        refused = list[RefusedMatches]()

        async def send(planned: PlannedMatches) -> None:
            plan, matches = planned
            try:
                await self._cases.signal_matches(plan, matches, timing)
            except CaseRefused as error:
                refused.append(RefusedMatches(plan, matches, error))

        await gather_limited(send, found, CONCURRENT_SIGNALS)
        return refused
