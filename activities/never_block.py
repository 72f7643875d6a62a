"""Keeps the never-block list complete by the account's own domains, and tells of blocks of ours that stand against it.

Nothing is lifted here: a person does that, by `clawback block lift --forbidden`.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import structlog
from temporalio.exceptions import ApplicationError

from activities.audit import AuditActivities, WriteRecords
from clawback.cloudflare import ApiError, ClientError, EmailSecurity, Share, protected_domains
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.rules.live import LiveRules
from clawback.telemetry import metrics
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway

LOOK_EVERY = timedelta(minutes=1)
"""How often standing blocks are compared with the list.

One request to Temporal, none to the API.
"""
READ_EVERY = timedelta(hours=1)
"""How often the domains of the account are read: one request to the API."""
READ_AGAIN = timedelta(minutes=5)
"""When they are read again after the API could not be asked."""
REMEDY = "clawback block lift --forbidden"
log = structlog.get_logger("clawback")


class NeverBlockWatcher:
    """What a worker does about the never-block list besides heeding it.

    Whatever fails here, the list in safety.yml holds.
    """

    def __init__(
        self, api: EmailSecurity, rules: LiveRules, blocks: BlockGateway, records: AuditActivities
    ) -> None:
        self._api = api.on(Share.ENRICHING)
        self._rules = rules
        self._blocks = blocks
        self._records = records
        self._read_at = float("-inf")
        self._trouble: str | None = None
        self._told: set[str] = set()
        metrics.OWN_DOMAINS.set(-1)

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY.total_seconds())
            await self.read_domains()
            await self.compare()

    async def read_domains(self) -> None:
        """Read the domains of the account if it is time to.

        Those that are known are kept where that fails.
        """
        if time.monotonic() < self._read_at:
            return
        again = READ_EVERY
        try:
            domains = await protected_domains(self._api.settings.domains)
        except ApiError as error:
            self._complain(error)
            again = READ_EVERY if isinstance(error, ClientError) else READ_AGAIN
        else:
            self._trouble = None
            metrics.OWN_DOMAINS.set(len(domains))
            if self._rules.own(domains):
                log.info("never_block.own_domains_read", domains=len(domains))
        self._read_at = time.monotonic() + again.total_seconds()

    async def compare(self) -> None:
        """Find the blocks of ours that the list forbids by now: counted, and told of once each."""
        try:
            standing = [block async for block in self._blocks.list_active()]
        except Exception as error:  # noqa: BLE001 - whatever a server answers, the rules must go on being watched
            log.warning("never_block.not_compared", error=error)
            return
        forbidden = [block for block in standing if is_forbidden(block, self._rules)]
        metrics.BLOCKS_FORBIDDEN.set(len(forbidden))
        if news := [block for block in forbidden if block.id not in self._told]:
            await self._tell(news)
        self._told = {block.id for block in forbidden}

    async def _tell(self, blocks: list[ActiveBlock]) -> None:
        log.warning(
            "never_block.contradicted",
            blocks=len(blocks),
            rules=sorted({block.rule for block in blocks}),
        )
        try:
            await self._records.append(WriteRecords(records=tuple(map(_record, blocks))))
        except ApplicationError as error:
            log.warning("never_block.not_recorded", error=error)

    def _complain(self, error: ApiError) -> None:
        """Say once what is wrong, until something else is."""
        kind = type(error).__name__
        if kind != self._trouble:
            log.warning(
                "never_block.own_domains_unknown",
                error=error,
                known=self._rules.owned,
            )
        self._trouble = kind


def is_forbidden(block: ActiveBlock, rules: LiveRules) -> bool:
    """Whether the list that is loaded now forbids a block that stands.

    False where nobody knows what it matches.
    """
    pattern, kind = block.block.pattern, block.block.kind
    return pattern is not None and kind is not None and rules.forbids(pattern, kind)


def _record(block: ActiveBlock) -> AuditRecord:
    return AuditRecord(
        id=f"forbidden/{block.id}",
        at=datetime.now(UTC),
        kind=RecordKind.BLOCK_FORBIDDEN,
        rule=block.rule,
        case=block.case,
        action="block_sender",
        target=block.id,
        detail=f"it stands until {block.expires_at:%FT%TZ}, and the never-block list forbids it by now: {REMEDY}",
    )
