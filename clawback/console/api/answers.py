"""What operations answer. Programs rely on the names: fields are only added.

Texts of mail (subject, names, addresses, reasons) are as they came: escape them where you show
them.
"""

from pydantic import BaseModel, ConfigDict, Field

from clawback.cases.hold_cause import HoldCause
from clawback.model.identity import Role
from clawback.model.times import UtcDatetime


class Answer(BaseModel):
    """An object of an answer."""

    model_config = ConfigDict(frozen=True)


class Hold(Answer):
    """Why a case waits for people, since when and until when."""

    reason: str
    cause: HoldCause | None = None
    since: UtcDatetime | None = None
    arrived: int = Field(default=0, description="Matches that came since")
    approvals: int = Field(default=0, description="People who have approved")
    needs: int = Field(default=0, description="People who must approve")
    deadline: UtcDatetime | None = Field(default=None, description="When silence denies it")


class ActionOutcomes(Answer):
    """An action, and how often it had each outcome."""

    action: str
    outcomes: dict[str, int] = {}


class DecisionItem(Answer):
    """What people decided last: `approved`, `denied` or `undone`."""

    what: str
    by: list[str]
    at: UtcDatetime
    reason: str = ""


class CaseItem(Answer):
    """A case in a list."""

    id: str = Field(description="`<rule>/<hash>`; takes its place in the path of other operations")
    short_id: str = Field(description="The first eight digits of the hash")
    run: str = Field(description="Tells this campaign from a later one of the same rule and group")
    rule: str
    level: str = ""
    title: str = ""
    state: str = Field(description="A state, or how its workflow ended: terminated, canceled, …")
    mode: str
    opened_at: UtcDatetime
    closed_at: UtcDatetime | None = None
    messages: int = 0
    mailboxes: int = 0
    events: int = 0
    subject: str = Field(default="", description="Of the first message")
    sender: str | None = Field(default=None, description="The first sender")
    sender_name: str = ""
    authentication: str = Field(default="", description="Of the first message, in words")
    senders: int = 0
    hold: Hold | None = Field(default=None, description="Only of a held case")
    digest: str | None = Field(default=None, description="Of the proposal of a held case")
    proposes: list[str] = Field(default=[], description="What a held case would do")
    outcomes: list[ActionOutcomes] = []
    failed: int = Field(default=0, description="How many outcomes are failures")
    changed: int = Field(default=0, description="How much undo would take back")
    decision: DecisionItem | None = None
    ended_by: DecisionItem | None = Field(default=None, description="Who undid it, and why")
    assignee: str = ""
    comments: int = 0
    last_match_at: UtcDatetime | None = None
    unreadable: str | None = Field(default=None, description="Why its summary is missing")


class CasePage(Answer):
    """A page of cases: open ones, the newest first, then closed ones, the last closed first."""

    items: list[CaseItem]
    next: str | None = Field(default=None, description="`cursor` of the next page; null: none")


class ProposalAnswer(Answer):
    """What a held case would do if it were approved now."""

    digest: str = Field(description="Identifies exactly this; name it to approve")
    actions: list[str]
    messages: int
    needs: int = Field(description="How many people must approve")
    missing: int = Field(description="How many of them have not")


class TimelineItem(Answer):
    """Something that happened, `count` times between two times."""

    at: UtcDatetime
    until: UtcDatetime
    kind: str
    count: int = 1
    action: str | None = None
    outcome: str | None = None
    after: str | None = None
    actor: str | None = None
    detail: str | None = None


class CommentItem(Answer):
    """What somebody wrote about a case."""

    number: int
    at: UtcDatetime
    author: str
    verified: bool = Field(description="Whether an identity provider vouches for the author")
    text: str


class UndoCounts(Answer):
    """What an undo did."""

    done: int = 0
    failed: int = 0
    gone: int = Field(default=0, description="Messages that no longer exist")


class CaseDetails(CaseItem):
    """A case with everything but its messages."""

    rule_version: str
    current_rule_version: str | None = Field(
        default=None, description="Of the rule now; the case keeps its own"
    )
    group: dict[str, str | None] = {}
    why: list[str] = Field(default=[], description="The clauses that made the first event match")
    proposal: ProposalAnswer | None = None
    undone: UndoCounts | None = None
    timeline: list[TimelineItem] = []
    notes: list[CommentItem] = Field(default=[], description="Comments, the oldest first")
    unanswered: dict[str, str] = Field(
        default={}, description="Why parts of a large campaign are missing, by their ids"
    )


class MessageItem(Answer):
    """A message of a case."""

    id: str = Field(description="Investigate id")
    message_id: str | None = None
    at: UtcDatetime = Field(description="When it was scanned")
    verdict: str | None = Field(default=None, description="As it was when it was read")
    sender: str | None = None
    mailbox: str | None = None
    subject: str | None = None
    sender_name: str | None = None
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    quarantined: bool | None = None
    outcomes: dict[str, str] = Field(default={}, description="By action")


class MessagePage(Answer):
    """A page of the messages of a case, in the order in which they came."""

    items: list[MessageItem]
    total: int
    next: str | None = None


class Decided(Answer):
    """The state of a case after a decision; `held` where a second person must agree."""

    case: str
    state: str


class Noted(Answer):
    """A case after somebody commented on it or assigned it."""

    case: str
    assignee: str | None = Field(default=None, description="null: nobody works on it")
    comment: int | None = Field(default=None, description="The number of the comment")


class UndoPlanAnswer(Answer):
    """What an undo of a case comes to."""

    digest: str = Field(description="Identifies exactly this plan")
    changes: int
    messages: int = Field(description="Messages that would return")
    verdicts: dict[str, int] = Field(description="Messages by their present verdict")
    malicious: list[str] = Field(description="The first messages that are malicious now")
    irreversible: list[str] = Field(description="What cannot be undone, and why")
    second_person: list[str] = Field(
        description="Why a second person must agree; empty if nobody must"
    )
    notes: list[str] = Field(default=[], description="What could not be read here")


class UndoState(Answer):
    """A dry run, or how far an undo is."""

    dry_run: bool = False
    id: str | None = Field(default=None, description="Of the undo, for `GET /undos/{id}`")
    state: str = Field(description="planned, held, running or done")
    plan: UndoPlanAnswer | None = None
    counts: UndoCounts | None = None
    held_for: list[str] = Field(default=[], description="Why a second person must agree")


class RuleItem(Answer):
    """A rule that is loaded."""

    name: str
    title: str
    status: str
    mode: str | None = Field(description="The effective one; null: it only feeds correlations")
    level: str
    version: str
    tests: int
    last_match: UtcDatetime | None


class RuleAnswer(Answer):
    """The rules that this console has loaded."""

    version: str
    ceiling: str = Field(description="The strongest mode of any rule here")
    items: list[RuleItem]


class ClaimItem(Answer):
    """Who wants a block, and until when."""

    rule: str = ""
    case: str = ""
    by: str = ""
    ends_at: UtcDatetime


class BlockItem(Answer):
    """A sender block of clawback that stands."""

    id: str = Field(description="Of the block in the API of Cloudflare")
    pattern: str | None
    kind: str
    rule: str
    case: str
    made_at: UtcDatetime
    ends_at: UtcDatetime
    claims: list[ClaimItem] = []


class BlockAnswer(Answer):
    """The sender blocks of clawback that stand, the first to end on top."""

    items: list[BlockItem]


class StopAnswer(Answer):
    """Whether containment is stopped. Nobody can say who stopped it while the workers are down."""

    stopped: bool
    by: str | None = None
    at: UtcDatetime | None = None
    reason: str | None = None


class PollerItem(Answer):
    """How far a poller has read."""

    source: str
    state: str
    read_to: UtcDatetime
    detail: str = ""


class Status(Answer):
    """The state of the installation."""

    version: str
    build: str
    account: str | None
    ceiling: str
    containment: StopAnswer
    cases: dict[str, int] = Field(description="Open cases by state")
    pollers: list[PollerItem]
    unanswered: dict[str, str] = Field(default={}, description="What could not be read, and why")


class Me(Answer):
    """Who you are here, and what you may do."""

    name: str
    source: str = Field(description="token, oidc, access or local")
    issuer: str
    subject: str
    verified: bool
    roles: list[Role]
