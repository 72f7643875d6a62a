"""The options of a rehearsal, and the corpora they stand for."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clawback.model.times import parse_time
from clawback.rules.source.safety_file import SAFETY
from clawback.simulator import (
    Line,
    campaigns,
    demo_corpus,
    outbreak,
    parse_faults,
    read_corpus,
)
from clawback.simulator.faults.late_index import LateIndex

_MARGIN = timedelta(days=1)


@dataclass(frozen=True)
class Rehearsal:
    """The options of one rehearsal. Without a corpus or synthetic mail it uses the demo corpus.

    `safety` is the safety document, if the folder of rules does not hold it.

    `outbreak` is the number of messages of one synthetic campaign, `campaigns` that of synthetic
    campaigns of one message. All mail is there from the start, or arrives at `pace` records per
    second. `faults` and `rate_limit` are as in `clawback simulate`. `kills`, `server_kills` and
    `freezes` say how often a worker or the Temporal server is disturbed. `age_limit` is a duration,
    `off` or `rules`. With `guard` the budgets of safety.yml hold cases. `temporal` is the
    address of a Temporal server to use, reached with `temporal_variables` (`TEMPORAL_*`); by
    default the rehearsal runs one of its own.
    """

    rules: Path
    safety: Path | None = None
    corpora: tuple[Path, ...] = ()
    outbreak: int = 0
    campaigns: int = 0
    pace: float | None = None
    faults: str = ""
    rate_limit: str = "1200/300"
    workers: int = 1
    kills: int = 0
    server_kills: int = 0
    freezes: int = 0
    seed: int = 0
    age_limit: str = "off"
    guard: bool = False
    timeout: timedelta = timedelta(hours=1)
    temporal: str | None = None
    temporal_variables: Mapping[str, str] = field(default_factory=dict)

    def with_copied_rules(self, folder: Path) -> "Rehearsal":
        """Return a rehearsal of a copy of the rules.

        The worker reloads rules that change, so a rehearsal must not see edits during its run.
        """
        if not self.rules.is_dir():
            return self
        rules, safety = shutil.copytree(self.rules, folder / "rules"), self.safety
        if safety is not None and safety.is_file():
            safety = Path(shutil.copyfile(safety, folder / SAFETY))
        return replace(self, rules=rules, safety=safety)

    def write_corpora(self, folder: Path) -> list[Path]:
        """Return all corpora as files; synthetic ones are written into the folder."""
        synthetic: dict[str, Iterable[Mapping[str, Any]]] = {}
        if self.outbreak:
            synthetic["outbreak"] = outbreak(self.outbreak, self.seed)
        if self.campaigns:
            synthetic["campaigns"] = campaigns(self.campaigns, self.seed)
        if not (synthetic or self.corpora):
            synthetic["demo"] = demo_corpus(self.seed)

        files = [_write_lines(folder / f"{name}.jsonl", lines) for name, lines in synthetic.items()]
        return [*self.corpora, *files]

    @property
    def lateness(self) -> timedelta:
        """How late a message may appear in lists."""
        fault = parse_faults(self.faults).of(LateIndex.name)
        return timedelta(seconds=fault.seconds) if fault.rate else timedelta()


def read_corpora(corpora: Iterable[Path]) -> list[Line]:
    """Read the records of all corpora.

    Raises:
        CorpusError: a file cannot be read.

    """
    return [line for path in corpora for line in read_corpus(path)]


def measure_history(lines: Iterable[Line]) -> timedelta:
    """Return how far back polling must start to read every record."""
    now = datetime.now(UTC)
    times = (time for line in lines for time in line_times(line))
    return now - min(times, default=now) + _MARGIN


def line_times(line: Line) -> Iterator[datetime]:
    """Yield the times of a record that polls may search by."""
    for name in ("scanned_at", "created_at", "requested_at"):
        if (time := parse_time(line.record.get(name))) is not None:
            yield time


def _write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
    return path
