"""`clawback rehearse`: the main job as one finite run, judged. How everyone judges a change."""

import asyncio
import json
import os
import shutil
import signal
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
from clawback.cli.output import AsJson, print_error, print_json, print_status, print_text
from clawback.cli.up import told_by
from clawback.local import ChildFailed, Unready
from clawback.model.durations import parse_duration
from clawback.rehearsal import Progress, Rehearsal, Result
from clawback.rehearsal import rehearse as run_rehearsal
from clawback.rehearsal.environment import SETTINGS
from clawback.rehearsal.summary import as_json as to_json
from clawback.rehearsal.summary import as_text
from clawback.rules import RuleErrors
from clawback.simulator import CorpusError, parse_faults, parse_rate

_SPEAK_EVERY = 10.0


def rehearse(  # noqa: PLR0913 - the options of a command
    *,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(
            help="A corpus, .jsonl or .jsonl.gz; may be repeated. Default: invented mail."
        ),
    ] = None,
    outbreak: Annotated[
        int, typer.Option(min=0, help="Add this many messages of one invented campaign.")
    ] = 0,
    rules: Annotated[
        Path | None,
        typer.Option(
            help="Folder of rule files, default ./rules if it exists, else the shipped rules."
        ),
    ] = None,
    faults: Annotated[
        str, typer.Option(help="Faults with rates, such as 429=0.05,lost_answer=0.02.")
    ] = "",
    kill_worker: Annotated[
        int, typer.Option(min=0, help="Kill the worker this often, at moments chosen by the seed.")
    ] = 0,
    rate_limit: Annotated[
        str, typer.Option(help="Requests per window, N/SECONDS, or off.")
    ] = "1200/300",
    seed: Annotated[int, typer.Option(help="The seed of faults, kills and invented mail.")] = 0,
    age_limit: Annotated[
        str,
        typer.Option(
            help="Maximum age of a message: a duration, off, or rules for that of safety.yml."
        ),
    ] = "off",
    guard: Annotated[
        bool,
        typer.Option(
            "--guard", help="Let the budgets of safety.yml hold cases; else they are counted only."
        ),
    ] = False,
    timeout: Annotated[str, typer.Option(help="Give up after this long.")] = "1h",
    ledger: Annotated[
        Path | None, typer.Option(help="Write every effective change here, one JSON object a line.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep databases, logs and audit in this folder; it must not exist."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Feed a corpus to a real worker against a simulator.

    Exit 0 only if nothing was lost, done twice, or touched without need.
    """
    plan = Rehearsal(
        rules=rules or default_rules(),
        corpora=tuple(corpus or ()),
        outbreak=outbreak,
        faults=_checked(faults, parse_faults),
        rate_limit=_checked(rate_limit, parse_rate),
        kills=kill_worker,
        seed=seed,
        age_limit=age_limit
        if age_limit in {"off", "rules"}
        else _checked(age_limit, parse_duration),
        guard=guard,
        timeout=_duration(timeout),
    )
    _forget_settings()
    print_status(f"rules: {describe_rules(plan.rules)}")
    result = _run(plan, keep)
    if ledger is not None:
        ledger.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in result.ledger)
        )
    if as_json:
        print_json(to_json(result))
    else:
        print_text("\n".join(as_text(result)))
    return ExitCode.OK if result.good else ExitCode.NO


def _run(plan: Rehearsal, keep: Path | None) -> Result:
    folder = keep or Path(tempfile.mkdtemp(prefix="clawback-rehearsal-"))
    folder.mkdir(parents=True, exist_ok=keep is None)
    try:
        result = asyncio.run(_interruptible(plan, folder.resolve()))
    except asyncio.CancelledError:
        raise Failure(
            f"interrupted; databases, logs and audit are in {folder}", ExitCode.INTERRUPTED
        ) from None
    except (CorpusError, RuleErrors) as error:
        raise Failure(str(error), ExitCode.NO) from error
    except ChildFailed as error:
        raise Failure(f"{error} (its log is in {folder}/logs)", told_by(error)) from error
    except Unready as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error
    if keep is None and result.good:
        shutil.rmtree(folder)
    else:
        print_error(f"databases, logs and audit are in {folder}")
    return result


async def _interruptible(plan: Rehearsal, folder: Path) -> Result:
    """Rehearse; SIGINT and SIGTERM end it with everything that it started."""
    running = asyncio.ensure_future(run_rehearsal(plan, folder, _ProgressPrinter().show))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    return await running


class _ProgressPrinter:
    """Says on stderr how far it is: in place on a terminal, every ten seconds elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._began = self._spoke = time.monotonic()

    def show(self, progress: Progress) -> None:
        """Take in how far it is."""
        now = time.monotonic()
        seconds = timedelta(seconds=int(now - self._began))
        text = f"{seconds} {progress.phase}: {progress.changes:,} of {progress.wanted:,} changes, {progress.requests:,} requests"
        text += f", {progress.kills} kills" if progress.kills else ""
        if self._console.is_terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        elif now - self._spoke >= _SPEAK_EVERY:
            self._spoke = now
            self._console.print(text)


def _forget_settings() -> None:
    """A rehearsal is the same whatever the environment says.

    No setting, credential or server of the user's is used.
    """
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        del os.environ[name]
    os.environ["TEMPORAL_CONFIG_FILE"] = os.devnull


def _checked(text: str, parse: Callable[[str], object]) -> str:
    try:
        parse(text)
    except ValueError as error:
        raise Failure(str(error), ExitCode.USAGE) from None
    return text


def _duration(text: str) -> timedelta:
    return parse_duration(_checked(text, parse_duration))
