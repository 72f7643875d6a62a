"""docs/tutorial.md works: its commands and files are executed in order against a running demo."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clawback.local import free_port
from docs.examples import Example, read_examples
from docs.tables import DOCS

BASH = shutil.which("bash") or "bash"
CASE_HASH = re.compile(r"\b[0-9a-f]{8}\b")
PATIENCE = 90.0
"""Seconds until a command must have given what the page shows: a mail has to arrive first."""


def test_the_tutorial_works(tmp_path: Path) -> None:
    """Each command succeeds and prints the lines that the page shows."""
    environment = _environment(tmp_path)
    folder = tmp_path / "tutorial"
    folder.mkdir()
    reader = Reader(folder, environment)
    blocks = list(read_examples([DOCS / "tutorial.md"]))
    before = next(number for number, one in enumerate(blocks) if one.kind == "background")

    for block in blocks[:before]:
        reader.follow(block)
    with _running(blocks[before], folder, environment):
        for block in blocks[before + 1 :]:
            reader.follow(block)


def _environment(tmp_path: Path) -> dict[str, str]:
    """Build an environment of the test's own: free ports, and a `clawback` first in the path."""
    program = tmp_path / "bin" / "clawback"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -P -c "from clawback.cli import main; main()" "$@"\n'
    )
    program.chmod(0o755)

    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_"))
    }
    return inherited | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(DOCS.parent),
        "COLUMNS": "200",
        "CLAWBACK_TEMPORAL_PORT": str(free_port()),
        "CLAWBACK_UI_PORT": str(free_port()),
        "CLAWBACK_CODEC": f"127.0.0.1:{free_port()}",
        "CLAWBACK_SIMULATOR_PORT": str(free_port()),
        "CLAWBACK_CONSOLE": f"127.0.0.1:{free_port()}",
        "CLAWBACK_METRICS": f"127.0.0.1:{free_port()}",
    }


@contextmanager
def _running(block: Example, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run the command of a block in the background, and end it as Ctrl-C does."""
    (command,) = _commands(block)
    process = subprocess.Popen(
        [BASH, "-c", f"exec {command}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


class Reader:
    """Somebody who follows the page: saves its files, runs its commands, copies case ids."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._case = ""

    def follow(self, block: Example) -> None:
        """Save the file of a block, or run its commands; the last prints what the page shows."""
        if block.kind == "file":
            (self._folder / block.marks[1]).write_text(block.text, encoding="utf-8")
        if block.language == "console":
            *first, last = _commands(block)
            for command in first:
                self._run_until_shown(command, "")
            self._run_until_shown(last, block.following)

    def _run_until_shown(self, command: str, shown: str) -> None:
        """Repeat a command until it succeeds and prints each line that is shown, in any order."""
        command = CASE_HASH.sub(self._case, command)
        deadline = time.monotonic() + PATIENCE
        while True:
            done = self._run(command)
            output = done.stdout + done.stderr
            missing = [line for line in shown.splitlines() if not re.search(_pattern(line), output)]
            if done.returncode == 0 and not missing:
                self._case = next(iter(CASE_HASH.findall(output)), self._case)
                return
            assert time.monotonic() < deadline, f"{command}: {missing} not in:\n{output}"
            time.sleep(2)

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BASH, "-o", "pipefail", "-c", command],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def _pattern(line: str) -> str:
    """Turn a line of the page into a regular expression: `…` and the hash of a case may differ."""
    words = ".*".join(re.escape(part.strip()) for part in line.split("…"))
    return CASE_HASH.sub("[0-9a-f]{8}", words)


def _commands(block: Example) -> list[str]:
    return [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
