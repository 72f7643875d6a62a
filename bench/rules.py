"""What evaluating rules costs.

One to ten thousand of them, against lambdas written by hand, three peers, and parsing the event.

Everything takes turns in one run, over the same events; answers are compared before anything is
timed. Times are CPU time: nothing here waits for anything, and whatever else the machine does is
not counted.
"""

import gc
import gzip
import json as json_
import multiprocessing
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import median
from time import process_time
from typing import Annotated, Any

import typer
from rich.table import Table

from bench.evaluators import (
    PEERS,
    Evaluator,
    clawback,
    engine,
    lambdas,
    load,
    one_lambda,
    parsing,
    with_plans,
    write_rules,
)
from bench.report import environment_info, wide_console, write_json
from bench.rulesets import KINDS, Condition, Record, make_conditions
from clawback.rules import load_rules
from clawback.simulator import demo_corpus

CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "phishing_pot.jsonl.gz"
PARSING = "parsing"
_MICRO = 1e6
_MOST_FOR_PEERS = 100
_CHECKED: Mapping[str, int | None] = {"clawback, with plans": None, "lambdas": 400}
_CHECKED_SLOWLY = 60
_PASSES = 20


@dataclass(frozen=True)
class Contest:
    """One set of conditions and everything that evaluates it."""

    label: str
    rules: int
    evaluators: Sequence[Evaluator]


@dataclass(frozen=True)
class Footprint:
    """What loading a set takes in a process of its own.

    Seconds, memory kept, memory at its peak; over that of the process before.
    """

    seconds: float
    kept_mib: float
    peak_mib: float


@dataclass(frozen=True)
class Figure:
    """One evaluator in one contest: medians over the rounds.

    `ratio` is its time over clawback's in the same contest.
    """

    contest: str
    rules: int
    name: str
    microseconds: float
    matches: float
    ratio: float | None
    per_parsing: float

    @property
    def per_second(self) -> float:
        """Events per second."""
        return _MICRO / self.microseconds


def read_records(corpus: Path, seed: int) -> list[Record]:
    """Read the messages of a corpus with their detections, shuffled.

    If the file does not exist, the demo corpus is used.
    """
    lines: Iterable[dict[str, Any]] = (
        map(json_.loads, gzip.decompress(corpus.read_bytes()).splitlines())
        if corpus.exists()
        else demo_corpus(seed)
    )
    records: list[Record] = [
        {**line["message"], "detections": line.get("detections") or {}}
        for line in lines
        if "message" in line
    ]
    Random(seed).shuffle(records)  # noqa: S311 - reproducible on purpose
    return records


def contests(
    conditions: Sequence[Condition], quiet: Sequence[Condition], sizes: Sequence[int]
) -> Iterator[Contest]:
    """Build every contest: each kind alone, each size, and a quiet one.

    The quiet one is as large as the largest, and matches as little as the next smaller.
    """
    for kind in KINDS:
        alone = [next(condition for condition in conditions if condition.kind == kind)]
        yield Contest(
            f"1: {kind}", 1, [clawback(alone), one_lambda(alone), *(peer(alone) for peer in PEERS)]
        )
    for size in sizes:
        peers = [peer(conditions[:size]) for peer in PEERS] if size <= _MOST_FOR_PEERS else []
        yield Contest(f"{size:,}", size, [*_own(conditions[:size]), *peers])
    if len(sizes) > 1:
        yield Contest(f"{len(quiet):,}, quiet", len(quiet), _own(quiet))


def _own(conditions: Sequence[Condition]) -> list[Evaluator]:
    rules = load(conditions)
    return [engine(rules), with_plans(rules), lambdas(conditions)]


def compare_answers(contest: Contest, lines: Sequence[str]) -> float:
    """Make sure that all evaluators say the same.

    Gives the matches per event. clawback sees every event: it compiles what it meets first.

    Raises:
        ValueError: two of them differ.

    """
    wanted = contest.evaluators[0].answers(lines)
    for other in contest.evaluators[1:]:
        found = other.answers(lines[: _CHECKED.get(other.name, _CHECKED_SLOWLY)])
        for line, ours, theirs in zip(lines, wanted, found, strict=False):
            if ours != theirs:
                raise ValueError(
                    f"{contest.label}: clawback says {ours}, {other.name} says {theirs} on {line}"
                )
    return sum(map(len, wanted)) / len(wanted)


def timed(
    built: Sequence[Contest], lines: Sequence[str], rounds: int, budget: float
) -> dict[tuple[str, str], list[float]]:
    """Seconds per event of every evaluator, by contest and name, a figure for each round.

    Every round has events of its own.
    """
    parse = Contest(PARSING, 0, [parsing()])
    found: dict[tuple[str, str], list[float]] = {}
    gc.collect()
    gc.freeze()  # the garbage collector would walk through what all the others hold
    for turn in range(rounds):
        for contest in [parse, *built]:
            for one in contest.evaluators:
                found.setdefault((contest.label, one.name), []).append(
                    one.seconds(lines[turn::rounds], budget, _PASSES if contest.rules == 1 else 1)
                )
    return found


def figures(
    built: Sequence[Contest],
    seconds: Mapping[tuple[str, str], list[float]],
    matches: Mapping[str, float],
) -> Iterator[Figure]:
    """Medians and ratios."""
    parse = median(seconds[PARSING, PARSING])
    yield Figure(PARSING, 0, PARSING, parse * _MICRO, 0.0, None, 1.0)
    for contest in built:
        own = median(seconds[contest.label, contest.evaluators[0].name])
        for one in contest.evaluators:
            spent = median(seconds[contest.label, one.name])
            yield Figure(
                contest.label,
                contest.rules,
                one.name,
                spent * _MICRO,
                matches[contest.label],
                spent / own,
                spent / parse,
            )


def footprint(conditions: Sequence[Condition]) -> Footprint:
    """Load a set in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        write_rules(Path(folder), conditions)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_footprint, (Path(folder),))


def _footprint(folder: Path) -> Footprint:
    before = _memory("VmRSS")
    started = process_time()
    rules = load_rules(folder)
    seconds = process_time() - started
    kept = _memory("VmRSS") - before if rules else 0
    return Footprint(seconds, kept, _memory("VmHWM") - before)


def _memory(what: str) -> float:
    """Read resident memory in MiB; `VmHWM` is its peak.

    `getrusage` would count what the process was before it became Python.
    """
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[what].split()[0]) / 1024


def goals(
    found: Sequence[Figure], loads: Mapping[int, Footprint]
) -> list[tuple[str, float, float]]:
    """The goals that the sizes of this run can say something about.

    What, the figure, the most it may be.
    """
    cost = {(one.contest, one.name): one.microseconds for one in found}
    single = [
        one.ratio
        for one in found
        if one.rules == 1 and one.name == "lambdas" and one.ratio and one.contest != "1"
    ]
    told = [("1 rule over one lambda, median of the kinds", 1 / median(single), 1.5)]
    if ("1,000", "clawback") in cost:
        own = cost["1,000", "clawback"]
        told.append(("1,000 rules over the loop of lambdas", own / cost["1,000", "lambdas"], 0.1))
        told.append(("1,000 rules over parsing the event", own / cost[PARSING, PARSING], 1.0))
        told.append(("1,000 rules: seconds to load", loads[1000].seconds, 3.0))
        large = [label for label in ("10,000", "10,000, quiet") if (label, "clawback") in cost]
        told.extend(
            (f"{label} rules over 1,000", cost[label, "clawback"] / own, 3.0) for label in large
        )
    return told


def table(found: Sequence[Figure], loads: Mapping[int, Footprint]) -> Table:
    """Every figure."""
    shown = Table(title=None, box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(
        (
            "rules",
            "matches",
            "",
            "events/s",
            "µs/event",
            "ns/rule and event",
            "to clawback",
            "to parsing",
            "load s",
            "kept MiB",
            "peak MiB",
        )
    ):
        shown.add_column(heading, justify="left" if number in {0, 2} else "right")
    for one in found:
        each = f"{one.microseconds * 1000 / one.rules:,.1f}" if one.rules else "-"
        ratio = "-" if one.ratio is None else f"{one.ratio:.3g}"
        load_ = (
            loads.get(one.rules)
            if one.name == "clawback" and one.contest == f"{one.rules:,}"
            else None
        )
        memory = (
            (f"{load_.seconds:.2f}", f"{load_.kept_mib:.0f}", f"{load_.peak_mib:.0f}")
            if load_
            else ("", "", "")
        )
        speed = (
            f"{one.per_second:,.0f}",
            f"{one.microseconds:,.2f}",
            each,
            ratio,
            f"{one.per_parsing:.2g}",
        )
        shown.add_row(one.contest, f"{one.matches:.3g}", one.name, *speed, *memory)
    return shown


async def rules(  # noqa: PLR0913 - the options of a command
    *,
    sizes: Annotated[
        str, typer.Option(help="How many rules, smallest first.")
    ] = "1,100,1000,10000",
    rounds: Annotated[
        int,
        typer.Option(help="Rounds in which everything takes its turn; medians are told.", min=1),
    ] = 5,
    budget: Annotated[
        float, typer.Option(help="Seconds of each evaluator in each round, about.", min=0.001)
    ] = 0.2,
    corpus: Annotated[
        Path,
        typer.Option(
            help="Corpus (.jsonl.gz); default the demo corpus if the file does not exist."
        ),
    ] = CORPUS,
    seed: Annotated[int, typer.Option(help="Seed of the rules and of the order of events.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write everything to this file.")] = None,
) -> None:
    """Measure what evaluating rules costs per event, against peers."""
    wanted = sorted(map(int, sizes.split(",")))
    records = read_records(corpus, seed)
    typer.echo(f"{len(records):,} events; making {wanted[-1]:,} rules", err=True)
    conditions = make_conditions(records, max(wanted[-1], 200), seed)
    quiet = make_conditions(records, wanted[-1], seed, live=wanted[-2] if len(wanted) > 1 else None)
    loads = {size: footprint(conditions[:size]) for size in wanted}
    built = list(contests(conditions, quiet, wanted))
    typer.echo("comparing the answers", err=True)
    lines = [json_.dumps(record) for record in records]
    matches = {contest.label: compare_answers(contest, lines) for contest in built}
    typer.echo("measuring", err=True)
    found = list(figures(built, timed(built, lines, rounds, budget), matches))
    console = wide_console()
    console.print(table(found, loads))
    for what, figure, most in goals(found, loads):
        console.print(
            f"{'met   ' if figure <= most else 'MISSED'} {what}: {figure:.3g} (at most {most:g})"
        )
    about = {
        "events": len(records),
        "corpus": corpus.name if corpus.exists() else "demo",
        "rounds": rounds,
        "seed": seed,
    }
    write_json({**environment_info(), **about, **_document(found, loads)}, json)


def _document(found: Sequence[Figure], loads: Mapping[int, Footprint]) -> dict[str, Any]:
    return {
        "figures": [asdict(one) for one in found],
        "loads": {str(size): asdict(one) for size, one in loads.items()},
        "goals": [
            {"what": what, "figure": figure, "most": most}
            for what, figure, most in goals(found, loads)
        ],
    }
