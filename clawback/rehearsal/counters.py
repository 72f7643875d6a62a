"""Reads counters from pages in the Prometheus text format: of our workers, of a Temporal server.

Only the lines that count are parsed: the page of a busy server has megabytes, and parsing all of it
takes longer than a second.
"""

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def sum_counters(page: str) -> dict[str, float]:
    """Return the counters of a worker, each summed over its labels."""
    sums: dict[str, float] = {}
    for sample in _read_samples(page, "clawback_"):
        if sample.name.endswith("_total"):
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def sum_actions(page: str) -> int:
    """Return the billable actions that a server has counted in its namespace `default`."""
    samples = _read_samples(page, "action{")
    return int(sum(one.value for one in samples if one.labels["namespace"] == "default"))


def _read_samples(page: str, start: str) -> Iterator[Sample]:
    lines = "".join(f"{line}\n" for line in page.split("\n") if line.startswith(start))
    for family in text_string_to_metric_families(lines):
        yield from family.samples
