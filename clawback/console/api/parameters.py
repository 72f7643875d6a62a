"""What operations take: the parameters of their URLs, and their bodies. Unknown ones are errors."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from clawback.cases import CaseState
from clawback.model.level import Level
from clawback.model.times import UtcDatetime

CASE_ID = r"(?:(?:case/)?[A-Za-z0-9_.-]+/)?[0-9a-f]{4,16}"
"""A case: `<rule>/<hash>`, the same after `case/`, or at least four digits of the hash."""
DEFAULT_LIMIT = 50
MOST = 200
_LONGEST = 320
_LONGEST_TEXT = 2_000


def _require_text(value: str) -> str:
    if not value.isprintable():
        raise ValueError("has characters that cannot be printed")
    return value


Text = Annotated[str, Field(min_length=1, max_length=_LONGEST), AfterValidator(_require_text)]
Note = Annotated[str, Field(max_length=_LONGEST_TEXT)]
Digest = Annotated[str, Field(pattern=r"^[0-9]{1,9}-[0-9a-f]{12}$")]


class Parameters(BaseModel):
    """Parameters of a URL, or fields of a body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoParameters(Parameters):
    """An operation without parameters."""


class PageParameters(Parameters):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=MOST)] = Field(
        default=DEFAULT_LIMIT, description="Items of one page at most"
    )
    cursor: str | None = Field(
        default=None, max_length=2_000, description="`next` of the page before"
    )


class CaseParameters(PageParameters):
    """Which cases to list; every criterion must hold."""

    state: CaseState | None = Field(default=None, description="Only cases in this state")
    rule: Text | None = Field(default=None, description="Only cases of this rule")
    level: Level | None = Field(default=None, description="Only cases of this level")
    sender: Text | None = Field(default=None, description="Only cases with mail from this address")
    mailbox: Text | None = Field(default=None, description="Only cases with mail in this mailbox")
    message: Text | None = Field(
        default=None, description="Only cases with this message: investigate id or Message-ID"
    )
    since: UtcDatetime | None = Field(default=None, description="Only cases opened since")


class HistoryKind(StrEnum):
    """What happened to a case."""

    ACTED = "acted"
    DENIED = "denied"
    EXPIRED = "expired"
    UNDONE = "undone"


class HistoryParameters(PageParameters):
    """Which past cases to list."""

    kind: HistoryKind = Field(
        default=HistoryKind.ACTED, description="What happened; `acted`: undo could take it back"
    )
    rule: Text | None = Field(default=None, description="Only cases of this rule")
    sender: Text | None = Field(default=None, description="Only cases with mail from this address")
    mailbox: Text | None = Field(default=None, description="Only cases with mail in this mailbox")
    message: Text | None = Field(
        default=None, description="Only cases with this message: investigate id or Message-ID"
    )
    since: UtcDatetime | None = Field(default=None, description="Only cases opened since")
    until: UtcDatetime | None = Field(default=None, description="Only cases opened until")


class OneCase(Parameters):
    """Which campaign of a case is meant."""

    run: Annotated[str, Field(pattern=r"^[0-9a-f][0-9a-f-]{7,35}$")] | None = Field(
        default=None,
        description="First digits of `run` or of a run before: that campaign, also an earlier one",
    )


class MessageParameters(PageParameters, OneCase):
    """Which messages of which campaign to list."""


class Approval(Parameters):
    """An approval of exactly what was shown."""

    digest: Digest = Field(description="`proposal.digest` of the case as it was shown")
    reason: Note = ""


class Denial(Parameters):
    """A denial, of what was shown or of whatever the case proposes."""

    digest: Digest | None = Field(
        default=None, description="`proposal.digest` as it was shown; without it, anything"
    )
    reason: Note = ""


class NewComment(Parameters):
    """What somebody tells others about a case."""

    text: Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT)]


class NewAssignment(Parameters):
    """Who works on a case."""

    to: Annotated[str, Field(max_length=120), AfterValidator(_require_text)] = Field(
        description="`me`, a name, or `nobody`", min_length=1
    )


class UndoOrder(Parameters):
    """An undo of a whole case, or its dry run."""

    dry_run: bool = Field(default=False, description="Only say what would be undone")
    digest: Digest | None = Field(
        default=None, description="`digest` of the dry run; 409 if the plan has changed since"
    )
    reason: Note = ""


class Reason(Parameters):
    """Why containment is stopped or resumed."""

    reason: Note = ""
