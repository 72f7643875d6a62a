"""Replays the histories of the parent commit on this code, and those of this commit on its code.

`python -m tests.replay.neighbor`, as CI runs it. Workflows that move between builds must replay
both ways: forward in an upgrade, back in a roll-back. Others stay on their build and only get a
note. Before the first release a commit may break a type, if its message says so on a line
`Breaks replay: poller, guard`.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.common import VersioningBehavior
from temporalio.worker import Replayer

from clawback.temporal.data_converter import data_converter
from workflows import WORKFLOWS

ROOT = Path(__file__).parents[2]
HISTORIES = Path("tests/replay/histories")
_STATEMENT = re.compile(r"^Breaks replay:(.*)$", re.MULTILINE)
_RELEASE = re.compile(r"^## \[?\d(?!.*not released)", re.MULTILINE)

Failures = Mapping[str, tuple[str, str]]
"""The workflow type and the error of each history that does not replay, by file name."""


def read_history(text: str) -> WorkflowHistory:
    """Read a saved history, of the workflow id that it was recorded under: orders name that id."""
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)


async def replay(histories: Sequence[Path]) -> Failures:
    """Replay saved histories on the code that is imported here.

    A history of a type that this code does not have is left out.
    """
    known = {workflow._Definition.must_from_class(kind).name for kind in WORKFLOWS}
    replayer = Replayer(workflows=WORKFLOWS, data_converter=data_converter(None))
    failures: dict[str, tuple[str, str]] = {}
    for path in histories:
        text = path.read_text(encoding="utf-8")
        started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
        kind = started["workflowType"]["name"]
        if kind not in known:
            continue

        history = read_history(text)
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        if result.replay_failure is not None:
            failures[path.name] = (kind, str(result.replay_failure).splitlines()[0][:300])
    return failures


def replay_on(code: Path, folder: Path) -> Failures:
    """Replay the histories of a folder on the code of another checkout, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-P", __file__, "--json", str(folder)],
        env={**os.environ, "PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return {"(all)": ("", f"the code of the parent does not start: {done.stderr[-300:]}")}
    failures: Failures = json.loads(done.stdout.splitlines()[-1])
    return failures


def moving_types() -> set[str]:
    """The types that move to the current build."""
    definitions = [workflow._Definition.must_from_class(kind) for kind in WORKFLOWS]
    auto = VersioningBehavior.AUTO_UPGRADE
    return {one.name or "" for one in definitions if one.versioning_behavior is auto}


def stated_breaks(message: str, changelog: str) -> set[str]:
    """The types that a commit says it breaks; none once something was released."""
    if _RELEASE.search(changelog):
        return set()
    named = ",".join(_STATEMENT.findall(message))
    return {name.strip() for name in named.split(",") if name.strip()}


def judge(failures: Failures, direction: str, moving: set[str], excused: set[str]) -> Iterator[str]:
    """Yield one line for each failure; those that fail the run begin with `FAILED`."""
    for name, (kind, error) in failures.items():
        is_note = bool(kind) and (kind not in moving or kind in excused)
        yield f"{'note' if is_note else 'FAILED'}: {name} {direction}: {error}"


def compare(parent: str = "HEAD~1") -> int:
    """Replay both ways; return the exit code."""
    archive = _git("archive", "--format=tar", parent)
    if archive is None:
        sys.stdout.write(f"replay: skipped, {parent} is not in this clone\n")
        return 0

    message = (_git("log", "-1", "--format=%B") or b"").decode()
    excused = stated_breaks(message, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder)
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(old, filter="data")
        lines = [
            *judge(
                asyncio.run(replay(sorted((old / HISTORIES).glob("*.json")))),
                "on this code",
                moving_types(),
                excused,
            ),
            *judge(replay_on(old, ROOT / HISTORIES), f"on {parent}", moving_types(), excused),
        ]
    sys.stdout.write("\n".join([*lines, f"replay against {parent}: {_count(lines)} failed\n"]))
    return 1 if _count(lines) else 0


def _count(lines: list[str]) -> int:
    return sum(line.startswith("FAILED") for line in lines)


def _git(*words: str) -> bytes | None:
    """Run git; None if it fails, as in a clone without the parent or without git."""
    try:
        done = subprocess.run(
            ["git", *words],  # noqa: S607 - whichever git CI has
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    if sys.argv[1:2] == ["--json"]:
        sys.stdout.write(json.dumps(asyncio.run(replay(sorted(Path(sys.argv[2]).glob("*.json"))))))
    else:
        sys.exit(compare(*sys.argv[1:2]))
