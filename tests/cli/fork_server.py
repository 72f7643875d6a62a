"""A process that has imported the command once, and forks for each command line.

To import the program costs seconds of CPU time; to fork costs milliseconds. Each command line
still runs in a process of its own, with its environment, folder and streams.
`python -m tests.cli.fork_server SOCKET` listens on a Unix socket. A request is two file descriptors
(stdout, stderr) and a JSON object; its answer is the exit code.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TextIO

from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


def run_forked(
    words: tuple[str, ...], environment: Mapping[str, str], out: TextIO, err: TextIO, timeout: float
) -> int:
    """Run one command line with these streams, and return its exit code.

    Raises:
        TimeoutError: it did not end in time.

    """
    request = json.dumps(
        {"words": words, "environment": dict(environment), "folder": str(Path.cwd())}
    )
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(timeout)
        asking.connect(_address())
        socket.send_fds(asking, [b"."], [out.fileno(), err.fileno()])
        asking.sendall(request.encode())
        asking.shutdown(socket.SHUT_WR)
        return int(asking.recv(16))


@cache
def _address() -> str:
    """Start the server of this test process, and return the path of its socket."""
    folder = tempfile.TemporaryDirectory()
    address = str(Path(folder.name) / "socket")
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, address],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(_end, server, folder)
    wait_until(Path(address).exists)
    return address


def _end(server: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    folder.cleanup()


def serve(address: str) -> NoReturn:
    """Fork for each request, until killed."""
    from clawback.cli.program import COMMANDS, load
    from clawback.rules.loader import load_reviewed

    for command in COMMANDS:
        load(command)
    load_reviewed(ROOT / "rules")  # imports what commands import when they read rules
    gc.freeze()  # no child looks through what was imported

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    with socket.socket(socket.AF_UNIX) as listening:
        # the socket appears under its name when it listens, so that no client is early
        listening.bind(f"{address}.new")
        listening.listen(64)
        Path(f"{address}.new").rename(address)
        while True:
            asked, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(asked)
            asked.close()


def _answer(asked: socket.socket) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(asked, 1, 2)
    with asked.makefile("rb") as received:
        request = json.loads(received.read())

    child = os.fork()
    if child == 0:
        asked.close()
        _run(request, streams)

    _, status = os.waitpid(child, 0)
    asked.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(request: dict[str, Any], streams: list[int]) -> NoReturn:
    from clawback.cli import main

    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["clawback", *request["words"]]
    main()


if __name__ == "__main__":
    serve(sys.argv[1])
