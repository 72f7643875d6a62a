"""Why a backup was not made or not restored. Each text is one sentence with the remedy."""


class BackupError(RuntimeError):
    """A backup cannot be written."""


class BackupDamaged(BackupError):
    """A file is no backup, is incomplete, or was changed."""


class NotRestorable(BackupError):
    """A good backup cannot be restored here."""
