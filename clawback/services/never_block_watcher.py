"""Reads the account's domains: they are never blocked, and name the providers of mailboxes.

Active blocks against the never-block list are reported.

Nothing is lifted here: a person does that with `clawback block lift --forbidden`.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.cloudflare import ApiError, ClientError, EmailSecurity, Share, account_domains
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.providers import Provider
from clawback.rules.live import LiveRules
from clawback.telemetry import metrics
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway

COMPARE_EVERY = timedelta(minutes=1)
"""How often active blocks are compared with the list: one request to Temporal, none to the API."""
READ_EVERY = timedelta(hours=1)
"""How often the domains of the account are read: one request to the API."""
READ_AGAIN = timedelta(minutes=5)
"""When they are read again after the API did not answer."""
READ_AFTER_NONE = timedelta(minutes=10)
"""When they are read again after the API named none: somebody will add them."""
READ_AGAIN_AT_START = timedelta(milliseconds=500)
"""When they are read again at start."""
START_TIMEOUT = timedelta(seconds=5)
"""How long a worker waits at start for the domains of the account.

After that it starts with the domains of safety.yml alone, and reads the others later.
"""
REMEDY = "clawback block lift --forbidden"
log = structlog.get_logger("clawback")


class NeverBlockWatcher:
    """Maintains the never-block list of a worker.

    Whatever fails here, the list in safety.yml stays in force.
    """

    def __init__(
        self, api: EmailSecurity, rules: LiveRules, blocks: BlockGateway, audit: AuditWriter
    ) -> None:
        self._api = api.on(Share.ENRICHING)
        self._rules = rules
        self._blocks = blocks
        self._audit = audit
        self._next_read = float("-inf")
        self._logged_error: str | None = None
        self._reported: set[str] = set()
        metrics.OWN_DOMAINS.set(math.nan)

    async def watch(self) -> None:
        """Read the domains and compare the blocks until cancelled."""
        while True:
            await asyncio.sleep(COMPARE_EVERY.total_seconds())
            await self.read_domains()
            await self.compare()

    async def read_domains_at_start(self) -> None:
        """Read the domains, but wait no longer than `START_TIMEOUT` for them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT.total_seconds()):
                while await self._read() is READ_AGAIN:  # noqa: ASYNC110 - another process answers
                    await asyncio.sleep(READ_AGAIN_AT_START.total_seconds())

    async def read_domains(self) -> None:
        """Read the domains of the account if that is due; a failure keeps the known ones."""
        if time.monotonic() >= self._next_read:
            await self._read()

    async def _read(self) -> timedelta:
        """Read the domains; return after what time to do so again."""
        delay = READ_EVERY
        try:
            found = await account_domains(self._api.settings.domains)
        except ApiError as error:
            self._log_once(error)
            # A refusal needs a person (the token lacks a permission); anything else may pass soon.
            delay = READ_EVERY if isinstance(error, ClientError) else READ_AGAIN
        else:
            self._logged_error = None
            domains = frozenset(found)
            metrics.OWN_DOMAINS.set(len(domains))
            if not domains:
                delay = READ_AFTER_NONE
                log.warning("never_block.no_own_domains")
            if self._rules.protect_own_domains(domains):
                log.info("never_block.own_domains_read", domains=len(domains))
            self._learn_providers(found)

        self._next_read = time.monotonic() + delay.total_seconds()
        return delay

    def _learn_providers(self, found: Mapping[str, Provider | None]) -> None:
        named = {domain: provider for domain, provider in found.items() if provider is not None}
        providers = replace(self._rules.providers, by_domain=named)
        if self._rules.use_providers(providers):
            log.info("providers.read", providers=sorted(providers.known), domains=len(named))

    async def compare(self) -> None:
        """Count the active blocks that the list forbids now, and report each of them once."""
        try:
            active = [block async for block in self._blocks.list_active()]
        except Exception as error:  # noqa: BLE001 - whatever happens, this must go on
            log.warning("never_block.not_compared", error=error)
            return

        forbidden = [block for block in active if is_forbidden(block, self._rules)]
        metrics.BLOCKS_FORBIDDEN.set(len(forbidden))
        if news := [block for block in forbidden if block.id not in self._reported]:
            await self._report(news)

        # Only what is forbidden now: a block that is forbidden again later is reported again.
        self._reported = {block.id for block in forbidden}

    async def _report(self, blocks: list[ActiveBlock]) -> None:
        log.warning(
            "never_block.contradicted",
            blocks=len(blocks),
            rules=sorted({block.rule for block in blocks}),
        )
        try:
            await self._audit.append(tuple(map(_record, blocks)))
        except AuditUnavailable as error:
            log.warning("never_block.not_recorded", error=error)

    def _log_once(self, error: ApiError) -> None:
        """Log an error unless the last read failed in the same way."""
        kind = type(error).__name__
        if kind != self._logged_error:
            log.warning(
                "never_block.own_domains_unknown",
                error=error,
                known=self._rules.own_domain_count,
            )

        self._logged_error = kind


def is_forbidden(block: ActiveBlock, rules: LiveRules) -> bool:
    """Whether the list that is loaded now forbids an active block."""
    return rules.forbids(block.block.pattern, block.block.kind)


def _record(block: ActiveBlock) -> AuditRecord:
    return AuditRecord(
        id=f"forbidden/{block.id}",
        at=datetime.now(UTC),
        kind=RecordKind.BLOCK_FORBIDDEN,
        rule=block.rule,
        case=block.case,
        action="block_sender",
        target=block.id,
        detail=(
            f"stands until {block.expires_at:%FT%TZ}, but the never-block list forbids it now: "
            f"{REMEDY}"
        ),
    )
