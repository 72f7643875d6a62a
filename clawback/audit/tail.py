"""Following an audit that others write, to show what happens.

It decides nothing and mends nothing.
"""

import json
import os
from pathlib import Path

from pydantic import ValidationError

from clawback.model.audit_record import AuditRecord


class Tail:
    """Gives each record once, from where the file ended when this was made.

    Follows it when it is rotated.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            status = path.stat()
            self._inode, self._offset = status.st_ino, status.st_size
        except OSError:
            self._inode, self._offset = 0, 0

    def read(self) -> list[AuditRecord]:
        """Give what was written since the last call; empty where there is no file yet.

        The few records that went into a file between the last call and its rotation are not given.
        """
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._offset:
                    self._inode, self._offset = status.st_ino, 0
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [record for line in whole.split(b"\n") if (record := _record(line)) is not None]


def _record(line: bytes) -> AuditRecord | None:
    try:
        return AuditRecord.model_validate(json.loads(line)["unmapped"])
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
