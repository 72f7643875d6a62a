"""Collects the file system of the image: Python, what it loads, and clawback; no shell, no package manager.

Runs in the build stage of the Dockerfile, with the Python of the base image and nothing else:

    python rootfs.py VENV ROOT

Files keep their paths. Libraries are found with ldd, also those of the wheels. Packages of the distribution that own a
copied file are written to /var/lib/dpkg/status.d with their licences, where scanners for vulnerabilities look. All times
are SOURCE_DATE_EPOCH, so that the same input gives the same files.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

UID = 10001
HOME = Path("/var/lib/clawback")
UNUSED = frozenset(
    {
        "__pycache__",
        "dist-packages",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "tkinter",
        "turtledemo",
        "venv",
    }
)
"""Folders of the standard library that clawback never imports."""
UNUSED_MODULES = ("_tkinter.", "nis.")
"""Modules whose libraries would come along: those of X11 and Kerberos."""
SYSTEM = ("/etc/ssl", "/usr/lib/ssl", "/usr/share/ca-certificates", "/usr/share/zoneinfo")
"""Certificates and time zones."""
DLOPENED = ("libgcc_s.so.1",)
"""Libraries that are loaded by name at run time."""
FOLDERS = (
    "dev",
    "etc/clawback/secrets",
    "proc",
    "run",
    "srv/rules",
    "sys",
    "var/lib/dpkg/status.d",
)
FILES = {
    "etc/passwd": f"root:x:0:0:root:/:/sbin/nologin\nclawback:x:{UID}:{UID}::{HOME}:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nclawback:x:{UID}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_AT_ONCE = 1000
_ELF = b"\x7fELF"
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


class RootFs:
    """A folder that becomes the root of the image."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._copied: set[Path] = set()

    def copy(self, path: Path, unused: frozenset[str] = frozenset({"__pycache__"})) -> None:
        """Copy a file or folder to the same path, with every link on the way and its target."""
        path = self._copy_links(path)
        if path in self._copied or not path.exists():
            return

        self._copied.add(path)
        if path.is_dir():
            self._place(path).mkdir(parents=True, exist_ok=True)
            for inner in sorted(path.iterdir()):
                if inner.name not in unused and not inner.name.startswith(UNUSED_MODULES):
                    self.copy(inner, unused)
        else:
            place = self._place(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)

    def copy_libraries(self) -> None:
        """Copy the shared libraries that the copied programs and libraries need."""
        programs = [path for path in sorted(self._copied) if _is_elf(path)]
        for library in sorted({one for program in programs for one in _libraries(program)}):
            self.copy(library)

    def describe_packages(self) -> None:
        """Write the state and licence of each package that owns a copied file."""
        if shutil.which("dpkg-query") is None:
            return
        ours = [path for path in sorted(self._copied) if _may_be_packaged(path)]
        for package in sorted(_owners(ours)):
            status = _run("dpkg-query", "--status", package)
            self.write(f"var/lib/dpkg/status.d/{package}", status)
            self.copy(Path("/usr/share/doc") / package / "copyright")

    def write(self, name: str, text: str) -> None:
        """Write a file of our own."""
        place = self._root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def _copy_links(self, path: Path) -> Path:
        """Recreate the links among the parts of a path; return where it really is."""
        real = Path(path.anchor)
        for part in path.parts[1:]:
            real = Path(os.path.normpath(real / part))
            if real.is_symlink():
                target, place = real.readlink(), self._place(real)
                place.parent.mkdir(parents=True, exist_ok=True)
                if not place.is_symlink():
                    place.symlink_to(target)
                real = self._copy_links(Path(os.path.normpath(real.parent / target)))
        return real

    def _place(self, path: Path) -> Path:
        return self._root / path.relative_to(path.anchor)


def _is_elf(path: Path) -> bool:
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(4) == _ELF


def _libraries(program: Path) -> Iterator[Path]:
    # A static program has none, and ldd says so with a status.
    for found in _LIBRARY.finditer(_run("ldd", str(program))):
        yield Path(found[1])


def _may_be_packaged(path: Path) -> bool:
    inside = path.parts[1] in {"bin", "etc", "lib", "lib64", "sbin", "usr"}
    return inside and path.parts[2] != "local" and not path.is_dir()


def _owners(paths: list[Path]) -> set[str]:
    # dpkg knows files by the paths of its packages, which may lead through /lib instead of /usr/lib.
    names = [name for path in paths for name in {str(path), str(path).removeprefix("/usr")}]
    found = [
        line
        for start in range(0, len(names), _AT_ONCE)
        for line in _run("dpkg-query", "--search", *names[start : start + _AT_ONCE]).splitlines()
    ]
    return {line.split(":")[0] for line in found if not line.startswith("diversion")}


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout


def _loader_paths() -> Iterator[Path]:
    for line in _run("/sbin/ldconfig", "-p").splitlines():
        name, _, path = line.strip().partition(" ")
        if name in DLOPENED:
            yield Path(path.rpartition(" ")[2])


def collect(venv: Path, root: Path) -> None:
    """Write the whole file system below `root`, which must be empty."""
    tree = RootFs(root)
    static = Path(str(sysconfig.get_config_var("LIBPL"))).name
    tree.copy(Path(sysconfig.get_path("stdlib")), UNUSED | {static})
    tree.copy(venv)
    for name in SYSTEM:
        tree.copy(Path(name))
    for library in _loader_paths():
        tree.copy(library)
    tree.copy_libraries()
    tree.describe_packages()

    for name, text in FILES.items():
        tree.write(name, text)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    home = root / HOME.relative_to("/")
    home.mkdir(parents=True)
    home.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(home, UID, UID)
    _set_times(root, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))


def _set_times(root: Path, seconds: int) -> None:
    for path in [root, *root.rglob("*")]:
        os.utime(path, (seconds, seconds), follow_symlinks=False)


if __name__ == "__main__":
    collect(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
