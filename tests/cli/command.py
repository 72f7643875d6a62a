"""The command line as people and scripts meet it: run it, and read what it says."""

import os
import subprocess
import sys
import tempfile

from tests.cli.fork_server import run_forked

COMMAND = (sys.executable, "-c", "from clawback.cli import main; main()")
"""Starts the program from nothing. `clawback()` costs a tenth of that."""
PATIENCE = 300.0


def environment_of(**settings: str) -> dict[str, str]:
    """The environment of this process without settings of clawback, and with those given."""
    prefixes = ("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return clean | settings


def clawback(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `clawback` as a process of its own, with no other settings than those given."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = run_forked(arguments, environment_of(**settings), out, err, PATIENCE)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(["clawback", *arguments], code, out.read(), err.read())


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line a failed command leaves on stderr, besides what it was doing."""
    assert "Traceback" not in done.stderr
    (line,) = (line for line in done.stderr.splitlines() if not line.endswith(" …"))
    return line
