"""The first member of a backup: what it is of, and the size and hash of every other member."""

from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from clawback.audit import Head

MANIFEST = "manifest.json"
DATABASE = "temporal.db"
AUDIT = "audit"
RULES = "rules"
SAFETY = "safety.yml"
GUARD = "guard.json"
SHIPPED = "audit-shipped.json"
PAYLOAD_KEYS, AUDIT_KEY, CHANNELS = "keys", "audit.key", "channels.toml"
FORMAT = 1


def _check_name(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or str(path) != name:
        raise ValueError("a member of a backup lies outside of it")
    return name


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Member(_Model):
    """One file of the backup."""

    name: Annotated[str, AfterValidator(_check_name)]
    size: int
    sha256: str


class AuditHead(_Model):
    """The last line of the audit in the backup."""

    sequence: int
    hash: str

    @property
    def head(self) -> Head:
        """The same for `clawback.audit`."""
        return Head(self.sequence, self.hash)


class Manifest(_Model):
    """What a backup holds. It names keys by their public ids.

    `temporal` is the version of the program that wrote the database, None if the installation uses
    a server of its operator's, whose database is not in the backup.
    """

    format: int = FORMAT
    created_at: datetime
    build: str
    account: str | None
    deployment: str
    temporal: str | None = None
    audit: str = ""
    audit_head: AuditHead | None = None
    key_ids: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()

    def names(self) -> frozenset[str]:
        """The members."""
        return frozenset(member.name for member in self.members)
