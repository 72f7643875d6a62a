"""The running worker, seen through its `/metrics` and `/healthz`."""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.error import HTTPError

from prometheus_client.parser import text_string_to_metric_families

from clawback.doctor.check import Finding, ok, problem, warning
from clawback.local import fetch
from clawback.local.installation import Installation
from clawback.model.texts import plural
from clawback.rules.source.errors import RuleErrors

Samples = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]
"""Labels and values by metric name."""

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}  # noqa: S104 - read
_START = "start `clawback up` or `clawback worker`, or set CLAWBACK_METRICS to the worker's address"
_MAX_BODY = 500


class WorkerPage:
    """The worker's HTTP server, as it can be reached from this machine."""

    def __init__(self, installation: Installation) -> None:
        host, _, port = installation.settings.metrics.rpartition(":")
        self.base = f"http://{_WILDCARDS.get(host, host)}:{port}"

    async def read(self, path: str) -> str:
        """Read a page.

        Raises:
            OSError: no response, or not a success.

        """
        return (await asyncio.to_thread(fetch, self.base + path)).decode()

    async def samples(self) -> Samples:
        """Read the metrics.

        Raises:
            OSError: no response, or not a success.

        """
        samples: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for family in text_string_to_metric_families(await self.read("/metrics")):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return samples


async def check_health(page: WorkerPage) -> Iterable[Finding]:
    """Ask the worker for its health."""
    try:
        await page.read("/healthz")
        samples = await page.samples()
    except HTTPError as error:
        with error:
            text = error.read(_MAX_BODY).decode(errors="replace").strip()
        found = f"{page.base}/healthz: {text or f'status {error.code}'}"
        remedy = "check its log, `clawback poll status` and Temporal"
        return [problem("worker", found, remedy)]
    except OSError:
        return [problem("worker", f"nothing responds at {page.base}", _START)]

    version = _version_label(samples, "clawback_build_info")
    return [ok("worker", f"{page.base} responds: healthy, version {version}")]


async def check_running_rules(
    page: WorkerPage, folder: Path, safety: Path | None = None
) -> Iterable[Finding]:
    """Compare the running rule set with the one on disk.

    No finding if no worker responds; `check_health` reports that.
    """
    try:
        samples = await page.samples()
    except OSError:
        return []

    running = _version_label(samples, "clawback_rules_info")
    if any(value for _, value in samples.get("clawback_rules_refused", ())):
        found = f"the worker refused the rules on its disk and keeps running {running}"
        return [warning("running rules", found, "`clawback rules check` says why")]

    on_disk = await asyncio.to_thread(_load_version, folder, safety)
    if on_disk is not None and on_disk != running:
        found = f"the worker runs {running}, {folder} holds {on_disk}"
        remedy = "a change is loaded within seconds; if not, the worker reads another folder"
        return [warning("running rules", found, remedy)]

    return [ok("running rules", f"the worker runs {running}")]


async def check_never_block(page: WorkerPage) -> Iterable[Finding]:
    """Check that the worker knows the own domains, and that no block contradicts the list."""
    try:
        samples = await page.samples()
    except OSError:
        return []

    unknown: Sequence[tuple[Mapping[str, str], float]] = (({}, math.nan),)
    domains = samples.get("clawback_own_domains", unknown)
    forbidden = samples.get("clawback_blocks_forbidden", ())
    return [
        *(_own_domains_finding(value) for _, value in domains),
        *(_forbidden_blocks_finding(int(value)) for _, value in forbidden),
    ]


def _own_domains_finding(domains: float) -> Finding:
    if domains > 0:
        own = plural(int(domains), "domain")
        found = f"never blocked: {own} of the account, and those in safety.yml"
        return ok("own domains", found)

    if domains == 0:
        return warning(
            "own domains",
            "the account has no domains, so only safety.yml keeps your own from being blocked",
            "add your domains to Email Security, or to never_block.suffixes in safety.yml",
        )

    return warning(
        "own domains",
        "the worker cannot list the domains of the account: only safety.yml applies",
        "give the token Cloud Email Security: Read, or list your domains under "
        "never_block.suffixes in safety.yml",
    )


def _forbidden_blocks_finding(forbidden: int) -> Finding:
    if not forbidden:
        return ok("blocks", "no active block contradicts the never-block list")

    remedy = (
        "list them with `clawback block list --forbidden`, "
        "remove them with `clawback block lift --forbidden`"
    )
    return warning("blocks", f"the never-block list forbids {forbidden:,} active blocks", remedy)


def _version_label(samples: Samples, name: str) -> str:
    return next((labels.get("version", "?") for labels, _ in samples.get(name, ())), "?")


def _load_version(folder: Path, safety: Path | None) -> str | None:
    # The console reads a worker's page too, and does without the rule engine.
    from clawback.rules import load_rules  # noqa: PLC0415 - see above

    try:
        return load_rules(folder, safety).version
    except (RuleErrors, OSError):
        return None
