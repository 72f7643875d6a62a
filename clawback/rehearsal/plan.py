"""What is rehearsed: the mail, the rules, and how hard the world makes it.

Values, and the corpus files they stand for.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clawback.model.times import parse_time
from clawback.simulator import Line, demo_corpus, outbreak, parse_faults, read_corpus
from clawback.simulator.faults.late_index import LateIndex

_MARGIN = timedelta(days=1)


@dataclass(frozen=True)
class Rehearsal:
    """One rehearsal. Without a corpus and an outbreak it is the demo's invented mail.

    `outbreak` is a number of messages of one campaign; `faults` and `rate_limit` are as `clawback
    simulate` takes them; `kills` is how often the worker is killed; `age_limit` is a duration or
    `off`; `guard` lets the budgets of safety.yml hold cases.
    """

    rules: Path
    corpora: tuple[Path, ...] = ()
    outbreak: int = 0
    faults: str = ""
    rate_limit: str = "1200/300"
    kills: int = 0
    seed: int = 0
    age_limit: str = "off"
    guard: bool = False
    timeout: timedelta = timedelta(hours=1)

    def with_rules_in(self, folder: Path) -> "Rehearsal":
        """Rehearse a copy of the rules.

        A worker takes changes in while it runs, and must be judged by what it started with.
        """
        return (
            replace(self, rules=shutil.copytree(self.rules, folder / "rules"))
            if self.rules.is_dir()
            else self
        )

    def write_corpora(self, folder: Path) -> list[Path]:
        """Give every corpus as a file; what is invented is written into the folder."""
        invented: dict[str, Iterable[Mapping[str, Any]]] = {}
        if self.outbreak:
            invented["outbreak"] = outbreak(self.outbreak, self.seed)
        if not self.outbreak and not self.corpora:
            invented["demo"] = demo_corpus(self.seed)
        return [
            *self.corpora,
            *(_written(folder / f"{name}.jsonl", lines) for name, lines in invented.items()),
        ]

    @property
    def late(self) -> timedelta:
        """How much later than it was sent a message may be found."""
        chance = parse_faults(self.faults).of(LateIndex.name)
        return timedelta(seconds=chance.seconds) if chance.rate else timedelta()


def read_all(corpora: Iterable[Path]) -> list[Line]:
    """Read the records of all corpora.

    Raises:
        CorpusError: a file cannot be read.

    """
    return [line for path in corpora for line in read_corpus(path)]


def span(lines: Iterable[Line]) -> timedelta:
    """How far back polling must start to meet every record."""
    now = datetime.now(UTC)
    return now - min(_moments(lines), default=now) + _MARGIN


def _moments(lines: Iterable[Line]) -> Iterator[datetime]:
    for line in lines:
        for name in ("scanned_at", "created_at", "requested_at"):
            if (moment := parse_time(line.record.get(name))) is not None:
                yield moment


def _written(path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
    return path
