"""Measures precision and recall of the shipped rules, message by message.

Each set of mail is replayed as `clawback rules backtest` does it, so that a correlation counts only
the messages of cases that it opened. A message counts for a rule if it is in such a case.
"""

import gzip
import json as json_
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from bench.benign_mail import MESSAGES, SEED, benign_mail
from bench.report import wide_console, write_json
from bench.stage import RULES
from clawback.backtest.replay import Backtest
from clawback.backtest.simulated_cases import simulate_cases
from clawback.model.events import EventKind, message_event
from clawback.rules import RuleSet, load_rules
from docs.tables import fill_tables, table_head, table_row

SHARED = Path(__file__).parents[2] / "shared" / "corpus"
PHISHING, HAM, MODERN = "phishing", "ham", "modern"
WRONG_VERDICTS = ("SUSPICIOUS", "SPOOF", "MALICIOUS")
README = RULES / "README.md"
_NOW = datetime(2026, 12, 1, tzinfo=UTC)
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """How many messages of each set a rule takes into a case.

    The sets are `phishing`, `ham` and `modern`, and of the last two also those in which every
    verdict is wrong: `ham SUSPICIOUS` and so on.
    """

    rule: str
    mode: str
    reads_messages: bool
    matched: Mapping[str, int]

    @property
    def precision(self) -> float | None:
        """The share of phishing among what it matches, each message with its own verdict."""
        found = self.matched[PHISHING]
        total = found + self.matched[HAM] + self.matched[MODERN]
        return found / total if total else None

    def recall(self, phishing: int) -> float:
        """The share of all phishing that it matches."""
        return self.matched[PHISHING] / phishing


@dataclass(frozen=True)
class Precision:
    """The figures of all rules that respond, and how many messages each set has."""

    sizes: Mapping[str, int]
    rules: Sequence[Measured]


def read_corpus(path: Path) -> list[Line]:
    """Read all messages of a corpus."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json_.loads(line) for line in lines]


def with_verdict(lines: Iterable[Line], verdict: str) -> Iterator[Line]:
    """Give the same messages as if each had been given this verdict."""
    wrong = {"final_disposition": verdict}
    for line in lines:
        yield {
            "message": {**line["message"], **wrong},
            "detections": {**line["detections"], **wrong},
        }


def measure(rules: RuleSet, phishing: Sequence[Line], ham: Sequence[Line]) -> Precision:
    """Replay every set of mail against the rules."""
    benign = {HAM: ham, MODERN: list(benign_mail())}
    sets: dict[str, Iterable[Line]] = {PHISHING: phishing, **benign}
    for name, lines in benign.items():
        sets |= {f"{name} {verdict}": with_verdict(lines, verdict) for verdict in WRONG_VERDICTS}

    found = {name: _matched(rules, lines) for name, lines in sets.items()}
    return Precision(
        sizes={PHISHING: len(phishing), **{name: len(lines) for name, lines in benign.items()}},
        rules=[
            Measured(
                rule.name,
                str(rules.mode_of(rule)),
                _reads_messages(rules, rule.name),
                {name: of_set.get(rule.name, 0) for name, of_set in found.items()},
            )
            for rule in rules.rules.values()
            if rule.response is not None
        ],
    )


def _matched(rules: RuleSet, lines: Iterable[Line]) -> Mapping[str, int]:
    run = Backtest([rules])
    for line in lines:
        run.take(message_event(line["message"], _NOW), line["detections"])

    run.finish()
    messages: dict[str, set[str]] = {}
    for case in simulate_cases(run.versions[0]):
        if case.responds_at is not None:
            messages.setdefault(case.plan.rule, set()).update(case.messages)

    return {rule: len(ids) for rule, ids in messages.items()}


def _reads_messages(rules: RuleSet, name: str) -> bool:
    """Whether a rule can match without reports and submissions, which the corpora have none of."""
    leaves = [rules.rules[leaf] for leaf in rules.leaves(rules.rules[name])]
    return all(EventKind.MESSAGE in leaf.kinds for leaf in leaves)


# ---- output


def page_table(found: Precision) -> Iterator[str]:
    """Yield the lines of the table in rules/README.md."""
    yield from table_head("Rule", *_headings(found))
    for one in found.rules:
        yield table_row(f"`{one.rule}`", *_cells(one, found))


def page_with(found: Precision) -> str:
    """Give rules/README.md with these figures."""
    text = README.read_text(encoding="utf-8")
    return fill_tables(text, {"precision": lambda: page_table(found)})


def _headings(found: Precision) -> Sequence[str]:
    sizes = found.sizes
    wrong = ", ".join(WRONG_VERDICTS)
    return (
        "Precision",
        "Recall",
        f"Phishing, of {sizes[PHISHING]:,}",
        f"Ham, of {sizes[HAM]:,}",
        f"as {wrong}",
        f"Modern, of {sizes[MODERN]:,}",
        f"as {wrong}",
    )


def _cells(one: Measured, found: Precision) -> Sequence[str]:
    if not one.reads_messages:
        return ("-",) * 7

    matched = one.matched
    return (
        "-" if one.precision is None else _percent(one.precision),
        _percent(one.recall(found.sizes[PHISHING])),
        f"{matched[PHISHING]:,}",
        f"{matched[HAM]:,}",
        _wrong(matched, HAM),
        f"{matched[MODERN]:,}",
        _wrong(matched, MODERN),
    )


def _wrong(matched: Mapping[str, int], name: str) -> str:
    return ", ".join(f"{matched[f'{name} {verdict}']:,}" for verdict in WRONG_VERDICTS)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(found: Precision) -> Table:
    shown = Table(title=None, box=None, pad_edge=False, header_style="bold")
    shown.add_column("")
    for heading in _headings(found):
        shown.add_column(heading, justify="right")
    for one in found.rules:
        shown.add_row(one.rule, *_cells(one, found))
    return shown


def _document(found: Precision) -> Mapping[str, Any]:
    return {
        "sizes": found.sizes,
        "seed": SEED,
        "rules": {
            one.rule: {
                "mode": one.mode,
                "precision": one.precision,
                "recall": one.recall(found.sizes[PHISHING]),
                "matched": one.matched,
            }
            for one in found.rules
            if one.reads_messages
        },
    }


async def precision(
    *,
    rules: Annotated[Path, typer.Option(help="Folder of the rules.")] = RULES,
    phishing: Annotated[Path, typer.Option(help="Corpus of phishing (.jsonl.gz).")] = (
        SHARED / "phishing_pot.jsonl.gz"
    ),
    ham: Annotated[Path, typer.Option(help="Corpus of legitimate mail (.jsonl.gz).")] = (
        SHARED / "ham.jsonl.gz"
    ),
    write: Annotated[
        bool, typer.Option("--write", help="Write the table into rules/README.md.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure precision and recall of the rules on phishing, ham and generated benign mail."""
    if missing := [str(path) for path in (phishing, ham) if not path.exists()]:
        raise typer.BadParameter(f"there is no {' and no '.join(missing)}")

    typer.echo(f"replaying, with {MESSAGES:,} generated messages", err=True)
    found = measure(load_rules(rules), read_corpus(phishing), read_corpus(ham))
    wide_console().print(_table(found))
    write_json(_document(found), json)
    if write:
        README.write_text(page_with(found), encoding="utf-8")
