"""Backups of an installation, and restoring one into an empty state folder.

You touch it when an installation gets another file that must survive. `manifest` says what a backup
is, `parts` what belongs into it, `writing` and `restoring` do it, `aftermath` tells what happened
after a backup was made.

BackupError          the sentence says what is wrong, and the remedy
├── BackupDamaged    the file is no backup, or was changed
└── NotRestorable    this installation runs, has files, or is another account's
"""

from clawback.backup.aftermath import Aftermath
from clawback.backup.errors import BackupDamaged, BackupError, NotRestorable
from clawback.backup.manifest import Manifest
from clawback.backup.restoring import Restored, RestoreOptions, restore
from clawback.backup.writing import Backup, write_backup

__all__ = [
    "Aftermath",
    "Backup",
    "BackupDamaged",
    "BackupError",
    "Manifest",
    "NotRestorable",
    "RestoreOptions",
    "Restored",
    "restore",
    "write_backup",
]
