"""The built wheel in an environment of its own, and folders to run it in."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from clawback.local import free_port
from tests.conftest import ROOT, temporal_binary

HOSTILE = "import pathlib\npathlib.Path({record!r}).write_text(__name__)\nraise SystemExit(99)\n"
HOSTILE_FILES = (
    "worker.py",
    "workflows/__init__.py",
    "activities/__init__.py",
    "rules.py",
    "clawback.py",
)


@dataclass(frozen=True)
class Installed:
    """The `bin` folder of an environment that has the wheel."""

    bin: Path

    def run(self, folder: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder and check its exit code."""
        done = subprocess.run(
            [self.bin / words[0], *words[1:]],
            cwd=folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    @contextmanager
    def running(self, folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs until it is told to stop; `stdout` has both streams."""
        process = subprocess.Popen(
            [self.bin / words[0], *words[1:]],
            cwd=folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            with process:
                yield process
                process.wait(30)
        finally:
            process.kill()

    def environment(self) -> dict[str, str]:
        """Our environment without settings and PYTHON* variables, with free ports."""
        dropped = ("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_", "PYTHON", "VIRTUAL_ENV")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(dropped)}
        ports = ("TEMPORAL_PORT", "UI_PORT", "SIMULATOR_PORT")
        addresses = ("METRICS", "CODEC", "CONSOLE")
        path = (str(self.bin), str(Path(temporal_binary()).parent), kept["PATH"])
        return {
            **kept,
            **{f"CLAWBACK_{name}": str(free_port()) for name in ports},
            **{f"CLAWBACK_{name}": f"127.0.0.1:{free_port()}" for name in addresses},
            "PATH": os.pathsep.join(path),
        }


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An empty environment with the wheel; its dependencies come from ours, without a network."""
    top = tmp_path_factory.mktemp("wheel")
    _call([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(top)], cwd=ROOT)
    _call([sys.executable, "-m", "venv", "--without-pip", str(top / "venv")], cwd=top)

    python, (wheel,) = top / "venv" / "bin" / "python", top.glob("*.whl")
    uv = [str(Path(sys.executable).parent / "uv"), "pip", "install", "--offline", "--no-cache"]
    _call([*uv, "--no-deps", "--python", str(python), str(wheel)], cwd=top)

    # Python does not read the .pth files of a folder that a .pth file names, so the editable
    # install of the checkout stays out.
    scheme = {"base": str(top / "venv"), "platbase": str(top / "venv")}
    packages = Path(sysconfig.get_path("purelib", vars=scheme))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(python.parent)


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterable[Path]:
    """A folder with nothing but modules that have the names of ours and must not be imported.

    The indirect parameter `empty` gives a folder without them.
    """
    record, folder = tmp_path / "imported", tmp_path / "folder"
    folder.mkdir()
    for name in () if getattr(request, "param", "") == "empty" else HOSTILE_FILES:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HOSTILE.format(record=str(record)))
    yield folder
    assert not record.exists(), f"{record.read_text()} was imported from the current directory"


def _call(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
