"""The worker that runs, seen through its `/metrics` and `/healthz`."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from urllib.error import HTTPError

from prometheus_client.parser import text_string_to_metric_families

from clawback.doctor.check import Finding, ok, problem, warning
from clawback.local import fetch
from clawback.local.installation import Installation
from clawback.rules import RuleErrors, load_rules

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}  # noqa: S104 - an address to read, not to bind
_START = (
    "start `clawback up` or `clawback worker`, or set CLAWBACK_METRICS to where the worker serves"
)


class WorkerPage:
    """Where the worker of these settings serves, as it can be reached from this machine."""

    def __init__(self, installation: Installation) -> None:
        host, _, port = installation.settings.metrics.rpartition(":")
        self.base = f"http://{_ANYWHERE.get(host, host)}:{port}"

    async def read(self, path: str) -> str:
        """Read a page.

        Raises:
            OSError: nobody answers, or the answer is not a success.

        """
        return (await asyncio.to_thread(fetch, self.base + path)).decode()

    async def samples(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Read the metrics: the labels and value of each sample, by name."""
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(await self.read("/metrics")):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found


async def check_health(page: WorkerPage) -> Iterable[Finding]:
    """Ask the worker how it is."""
    try:
        await page.read("/healthz")
        samples = await page.samples()
    except HTTPError as error:
        with error:
            said = error.read(500).decode(errors="replace").strip() or f"status {error.code}"
        return [
            problem(
                "worker",
                f"{page.base}/healthz: {said}",
                "look at its log, at `clawback poll status` and at Temporal",
            )
        ]
    except OSError:
        return [problem("worker", f"nobody answers at {page.base}", _START)]
    version = next(
        (labels.get("version", "?") for labels, _ in samples.get("clawback_build_info", ())), "?"
    )
    return [ok("worker", f"{page.base} answers: healthy, version {version}")]


async def check_running_rules(page: WorkerPage, folder: Path) -> Iterable[Finding]:
    """Compare the set that runs with the one on the disk.

    Says nothing where no worker answers, as `check_health` says that.
    """
    try:
        samples = await page.samples()
    except OSError:
        return []
    running = next(
        (labels.get("version", "?") for labels, _ in samples.get("clawback_rules_info", ())), "?"
    )
    if any(value for _, value in samples.get("clawback_rules_refused", ())):
        remedy = "`clawback rules check` says why; the former set runs on"
        return [
            warning(
                "running rules",
                f"the worker refused the rules on its disk and runs {running}",
                remedy,
            )
        ]
    here = await asyncio.to_thread(_version_of, folder)
    if here is not None and here != running:
        remedy = (
            "a change is taken in within seconds; if this stays, the worker reads another folder"
        )
        return [
            warning("running rules", f"the worker runs {running}, {folder} holds {here}", remedy)
        ]
    return [ok("running rules", f"the worker runs {running}")]


async def check_never_block(page: WorkerPage) -> Iterable[Finding]:
    """Ask the worker whether it knows the account's own domains, and whether blocks stand against the never-block list."""
    try:
        samples = await page.samples()
    except OSError:
        return []
    domains = [_judged_domains(int(value)) for _, value in samples.get("clawback_own_domains", ())]
    return domains + [
        _judged_blocks(int(value)) for _, value in samples.get("clawback_blocks_forbidden", ())
    ]


def _judged_domains(domains: int) -> Finding:
    if domains >= 0:
        return ok(
            "own domains",
            f"{domains:,} domains of the account are never blocked, beside the list in safety.yml",
        )
    remedy = "give the token Cloud Email Security: Read, or list your domains under never_block.suffixes in safety.yml"
    return warning(
        "own domains",
        "the worker cannot list the domains of the account: only the list in safety.yml holds",
        remedy,
    )


def _judged_blocks(forbidden: int) -> Finding:
    if not forbidden:
        return ok("blocks", "none of ours stands against the never-block list")
    remedy = "`clawback block list --forbidden` names them, `clawback block lift --forbidden` removes them"
    return warning(
        "blocks",
        f"{forbidden:,} of ours stand although the never-block list forbids them by now",
        remedy,
    )


def _version_of(folder: Path) -> str | None:
    try:
        return load_rules(folder).version
    except (RuleErrors, OSError):
        return None
