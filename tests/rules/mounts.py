"""A folder as the kubelet mounts a ConfigMap or a Secret, and as it replaces its content.

The layout is that of Kubernetes' atomic writer: the files are in a folder with a time for a name,
`..data` is a link to it, and each name at the top, file or folder, is a link through `..data`.
"""

import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from tests.rules.folders import LOGSOURCE, PLAIN

_number = count(1)

EXCEPTION = (
    "title: Ours\nname: ours\nowner: me\nexpires: 2099-01-01\n"
    f"{LOGSOURCE}filter:\n  rules: any\n  sel: {{subject|expand: '%words%'}}\n"
    "  condition: not sel\n"
)
MOUNTED = {
    "safety.yml": "{}\n",
    "bec/a_rule.yml": PLAIN,
    "exceptions/ours.yml": EXCEPTION,
    "lists/words.txt": "training\n",
}


class MountedConfigMap:
    """A mount whose content can be replaced at once, as an update of the ConfigMap does."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.replace(files)

    def replace(self, files: Mapping[str, str]) -> None:
        """Write the new content beside the old, switch `..data`, and remove the old content."""
        data = self.folder / "..data"
        old = data.readlink() if data.is_symlink() else None
        new = self.folder / f"..2026_11_29_18_30_00.{next(_number)}"
        for name, text in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(text, encoding="utf-8")

        (self.folder / "..data_tmp").symlink_to(new.name)
        (self.folder / "..data_tmp").rename(data)
        self._link({Path(name).parts[0] for name in files})
        if old is not None:
            shutil.rmtree(self.folder / old)

    def _link(self, names: set[str]) -> None:
        for link in self.folder.iterdir():
            if not link.name.startswith("..") and link.name not in names:
                link.unlink()
        for name in names:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
