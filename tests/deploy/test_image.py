"""The container image: what it collects runs alone; where it can be built, it starts."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from clawback.local import free_port
from tests.waiting import eventually

CONTAINER = Path(__file__).parents[2] / "deploy" / "container"
EPOCH = 1_767_225_600
BASE = os.environ.get("PYTHON_IMAGE", "python:3.11-slim")
USES_LIBRARIES = (
    "import asyncio, ctypes, lzma, sqlite3, ssl, zlib, zoneinfo;"
    "print(zoneinfo.ZoneInfo('Europe/Berlin'), ssl.create_default_context().verify_mode.name)"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file system that the Dockerfile would make of this Python and an empty environment."""
    if sys.platform != "linux":
        pytest.skip("the image is for Linux")
    folder = tmp_path_factory.mktemp("image")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
    (folder / "venv" / "lib" / "__pycache__").mkdir()
    run(
        str(folder / "venv" / "bin" / "python"),
        str(CONTAINER / "rootfs.py"),
        str(folder / "venv"),
        str(folder / "root"),
        env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)},
    )
    return folder / "root"


def run(*command: str, env: dict[str, str] | None = None, timeout: float = 240) -> str:
    """Run a program and return its output; the test fails with what it said if it does."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, env=env
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_python_runs_with_the_collected_libraries_alone(root: Path) -> None:
    """Below a changed root it finds its libraries, certificates and time zones."""
    if os.geteuid() != 0:
        pytest.skip("only root may change the root of a process")
    python = root.parent / "venv" / "bin" / "python"
    found = run("chroot", str(root), str(python), "-I", "-B", "-c", USES_LIBRARIES)
    assert found.split() == ["Europe/Berlin", "CERT_REQUIRED"]


def test_the_image_has_no_shell_and_no_package_manager(root: Path) -> None:
    """Whoever gets into the process finds nothing to go on with."""
    names = {path.name for path in root.rglob("*") if not path.is_dir()}
    assert "passwd" in names
    assert not names & {"sh", "bash", "dash", "busybox", "pip", "apt-get", "dpkg"}
    assert not [*root.rglob("ensurepip"), *root.rglob("pip")]


def test_everything_has_the_time_of_the_commit(root: Path) -> None:
    """And nothing depends on when or by whom it was built."""
    assert {path.lstat().st_mtime for path in root.rglob("*")} == {float(EPOCH)}
    assert not list(root.rglob("__pycache__"))


def test_the_user_owns_its_folder_only(root: Path) -> None:
    """The state folder is private; the temporary one is everybody's."""
    assert (root / "var/lib/clawback").stat().st_mode & 0o7777 == 0o700
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert "clawback:x:10001:10001:" in (root / "etc/passwd").read_text()


@contextmanager
def container() -> Iterator[str]:
    """Build the image and make a container of it; skip where that cannot be done."""
    buildah = shutil.which("buildah")
    if buildah is None:
        pytest.skip("buildah is not installed (Debian: apt install buildah)")
    if subprocess.run([buildah, "inspect", BASE], capture_output=True, check=False).returncode:
        pytest.skip(f"the base {BASE} is not on this machine; PYTHON_IMAGE names another")
    image = f"clawback-test-{os.getpid()}"
    run(str(CONTAINER / "build"), env={**os.environ, "IMAGE": image}, timeout=1200)
    name = run("buildah", "from", "--pull-never", image).strip()
    try:
        yield name
    finally:
        run("buildah", "rm", name)
        run("buildah", "rmi", image)


@pytest.mark.timeout(1800)
async def test_the_image_runs_as_its_user() -> None:
    """`up` starts with the simulator, the image's health check passes, and SIGTERM ends it."""
    with container() as name:
        metrics = free_port()
        ports = [f"CLAWBACK_{one}_PORT={free_port()}" for one in ("TEMPORAL", "UI", "SIMULATOR")]
        addresses = [f"CLAWBACK_{one}=127.0.0.1:{free_port()}" for one in ("CODEC", "CONSOLE")]
        chosen = [*ports, *addresses, f"CLAWBACK_METRICS=127.0.0.1:{metrics}"]
        options = [word for one in chosen for word in ("--env", one)]
        inside = ["buildah", "run", "--isolation", "chroot", *options, name, "--"]
        assert run(*inside, "python", "-c", "import os; print(os.getuid(), os.getgid())") == (
            "10001 10001\n"
        )
        check = run("buildah", "inspect", "--format", "{{.Docker.Config.Healthcheck.Test}}", name)
        code = check.strip().removeprefix("[CMD python -I -c ").removesuffix("]")
        probe = [*inside, "python", "-I", "-c", code.replace(":9464/", f":{metrics}/")]
        with running(*inside, "clawback", "up", "--plain") as process:
            await eventually(lambda: _passes(probe, process), timedelta(minutes=5))


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block is left; it must end within 20 s of SIGTERM."""
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


async def _passes(command: list[str], process: subprocess.Popen[bytes]) -> bool | None:
    assert process.poll() is None, "it ended by itself"
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, timeout=60, check=False
    )
    return done.returncode == 0 or None
