"""`clawback rehearse`: one finite run against the simulator, judged."""

import asyncio
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clawback.app_files import default_rules, describe_rules
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.interrupts import run_interruptible
from clawback.cli.output import AsJson, print_error, print_json, print_status, print_text
from clawback.cli.up import exit_code_of
from clawback.local import ProcessFailed, SetupError
from clawback.model.durations import parse_duration
from clawback.model.texts import plural
from clawback.private_files import hide_new_files
from clawback.rehearsal import Progress, Rehearsal, RehearsalResult
from clawback.rehearsal import rehearse as run_rehearsal
from clawback.rehearsal.environment import SETTINGS
from clawback.rehearsal.summary import format_text, to_json
from clawback.rules import RuleErrors
from clawback.simulator import CorpusError, parse_faults, parse_rate
from clawback.temporal.client import TemporalUnreachable

_PRINT_EVERY = 10.0
_STOP_TIMEOUT = 12.0
"""Seconds that all processes together need to stop."""


Corpora = Annotated[
    list[Path] | None,
    typer.Option(help="Corpus, .jsonl or .jsonl.gz. Repeatable. Default: the demo corpus."),
]
OutbreakSize = Annotated[
    int, typer.Option(min=0, help="Number of messages of one synthetic campaign to add.")
]
Rules = Annotated[
    Path | None,
    typer.Option(
        help="Folder of rule files, default ./rules if it exists, else the shipped rules."
    ),
]
SafetyFile = Annotated[
    Path | None,
    typer.Option("--safety", help="The safety document, if the folder of rules has none."),
]
Faults = Annotated[
    str,
    typer.Option(help="Faults and rates, such as 429=0.05,lost_answer=0.02; see `simulate`."),
]
Campaigns = Annotated[
    int, typer.Option(min=0, help="Number of synthetic one-message campaigns to add.")
]
Pace = Annotated[
    float | None,
    typer.Option(help="Arrival rate of the mail in records per second. Default: all at once."),
]
Workers = Annotated[int, typer.Option(min=1, help="Number of workers.")]
Kills = Annotated[int, typer.Option(min=0, help="How often to kill a worker, at random times.")]
ServerKills = Annotated[
    int, typer.Option(min=0, help="How often to kill the Temporal server, at random times.")
]
Freezes = Annotated[
    int, typer.Option(min=0, help="How often to freeze a worker (SIGSTOP) for a few seconds.")
]
RateLimit = Annotated[str, typer.Option(help="Requests per window, N/SECONDS, or `off`.")]
Seed = Annotated[int, typer.Option(help="Seed of faults, kills and synthetic mail.")]
AgeLimit = Annotated[
    str,
    typer.Option(
        help="Maximum age of a message: a duration, `off`, or `rules` for that of safety.yml."
    ),
]
Guard = Annotated[bool, typer.Option("--guard", help="Enforce the budgets of safety.yml.")]
Timeout = Annotated[str, typer.Option(help="Maximum duration of the run.")]
TemporalAddress = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Temporal server to use, with TEMPORAL_*. Its namespace must be empty; without "
        "TEMPORAL_NAMESPACE, one is created and deleted. Default: an embedded server.",
    ),
]
LedgerFile = Annotated[
    Path | None, typer.Option(help="Write the ledger of changes to this file, as JSON lines.")
]
KeepFolder = Annotated[
    Path | None,
    typer.Option(help="Keep databases, logs and audit in this folder, which must not exist."),
]


def rehearse(  # noqa: PLR0913 - the options of a command
    *,
    corpus: Corpora = None,
    outbreak: OutbreakSize = 0,
    campaigns: Campaigns = 0,
    pace: Pace = None,
    rules: Rules = None,
    safety: SafetyFile = None,
    faults: Faults = "",
    workers: Workers = 1,
    kill_worker: Kills = 0,
    kill_server: ServerKills = 0,
    freeze_worker: Freezes = 0,
    rate_limit: RateLimit = "1200/300",
    seed: Seed = 0,
    age_limit: AgeLimit = "off",
    guard: Guard = False,
    timeout: Timeout = "1h",
    temporal: TemporalAddress = None,
    ledger: LedgerFile = None,
    keep: KeepFolder = None,
    as_json: AsJson = False,
) -> int:
    """Run a corpus through a real worker and judge the outcome.

    The worker runs against the simulator. The run ends when nothing is left to do: cases that wait
    for people count as done.

    Exit code 0 if no message was lost, repeated or changed by mistake.
    """
    if temporal is not None and kill_server:
        raise Failure("--kill-server kills an embedded server only", ExitCode.USAGE)

    plan = Rehearsal(
        rules=rules or default_rules(),
        safety=safety,
        corpora=tuple(corpus or ()),
        outbreak=outbreak,
        campaigns=campaigns,
        pace=_check_pace(pace),
        faults=_check(faults, parse_faults),
        rate_limit=_check(rate_limit, parse_rate),
        workers=workers,
        kills=kill_worker,
        server_kills=kill_server,
        freezes=freeze_worker,
        seed=seed,
        age_limit=age_limit if age_limit in {"off", "rules"} else _check(age_limit, parse_duration),
        guard=guard,
        timeout=_parse_timeout(timeout),
        temporal=temporal,
        temporal_variables=_temporal_variables(),
    )
    _clear_settings(keep_temporal=temporal is not None)
    print_status(f"rules: {describe_rules(plan.rules)}")
    result = _run(plan, keep)
    _report(result, ledger, as_json=as_json)

    return ExitCode.OK if result.is_good else ExitCode.NO


def _report(result: RehearsalResult, ledger: Path | None, *, as_json: bool) -> None:
    if ledger is not None:
        ledger.write_text(
            "".join(json.dumps(row) + "\n" for row in result.ledger), encoding="utf-8"
        )

    if as_json:
        print_json(to_json(result))
    else:
        print_text("\n".join(format_text(result)))


def _run(plan: Rehearsal, keep: Path | None) -> RehearsalResult:
    hide_new_files()
    folder = keep or Path(tempfile.mkdtemp(prefix="clawback-rehearsal-"))
    folder.mkdir(parents=True, exist_ok=keep is None)
    try:
        result = asyncio.run(
            run_interruptible(
                run_rehearsal(plan, folder.resolve(), _ProgressPrinter().show), _STOP_TIMEOUT
            )
        )
    except asyncio.CancelledError:
        raise Failure(
            f"interrupted; databases, logs and audit are in {folder}", ExitCode.INTERRUPTED
        ) from None
    except (CorpusError, RuleErrors) as error:
        raise Failure(str(error), ExitCode.NO) from error
    except ProcessFailed as error:
        raise Failure(f"{error} (its log is in {folder}/logs)", exit_code_of(error)) from error
    except (SetupError, TemporalUnreachable) as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error

    if keep is None and result.is_good:
        shutil.rmtree(folder)
    else:
        print_error(f"databases, logs and audit are in {folder}")

    return result


class _ProgressPrinter:
    """Prints progress to stderr: in place on a terminal, else every ten seconds."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._started = self._printed = time.monotonic()
        self._waits_for = ""

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        seconds = timedelta(seconds=int(now - self._started))
        text = (
            f"{seconds} {progress.phase}: {progress.changes:,} of {progress.expected_changes:,} "
            f"changes, {progress.requests:,} requests"
        )

        for name, count in sorted(progress.disturbances.items()):
            text += f", {plural(count, name)}"

        if self._console.is_terminal:
            sys.stderr.write(f"\r\x1b[K{text[: self._console.width - 1]}")
            sys.stderr.flush()
        elif now - self._printed >= _PRINT_EVERY:
            self._printed = now
            self._console.print(text)

        self._show_wait(progress)

    def _show_wait(self, progress: Progress) -> None:
        if progress.waits_for and progress.waits_for != self._waits_for:
            start = "\n" if self._console.is_terminal else ""
            idle = f"{progress.idle_seconds:.0f} s"
            self._console.print(f"{start}no progress for {idle}: waiting for {progress.waits_for}")
        self._waits_for = progress.waits_for


def _temporal_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("TEMPORAL_")}


def _clear_settings(*, keep_temporal: bool) -> None:
    """Remove all settings and credentials: a rehearsal must not depend on the environment.

    A Temporal server that people name needs theirs.
    """
    # An empty configuration file, since the profile of a user may name another server.
    kept = _temporal_variables() if keep_temporal else {"TEMPORAL_CONFIG_FILE": os.devnull}
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        del os.environ[name]
    os.environ.update(kept)


def _check(text: str, parse: Callable[[str], object]) -> str:
    try:
        parse(text)
    except ValueError as error:
        raise Failure(str(error), ExitCode.USAGE) from None
    return text


def _check_pace(pace: float | None) -> float | None:
    if pace is not None and not 0 < pace < math.inf:
        raise Failure("--pace must be a number above 0", ExitCode.USAGE)
    return pace


def _parse_timeout(text: str) -> timedelta:
    return parse_duration(_check(text, parse_duration))
