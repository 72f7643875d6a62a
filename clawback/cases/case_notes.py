"""The comments on one case and its assignment: what it takes, and how much."""

from datetime import datetime
from typing import Any

from clawback.cases.notes import (
    LONGEST_COMMENT,
    MOST_COMMENT_BYTES,
    MOST_COMMENTS,
    Assignment,
    AssignTo,
    Comment,
    clean_comment,
)
from clawback.cases.state import CaseSnapshot
from clawback.model.identity import Actor
from clawback.model.size import payload_size


class CaseNotes:
    """What people write about a case; each attribute is the snapshot's of that name."""

    def __init__(self, snapshot: CaseSnapshot) -> None:
        self.comments = list(snapshot.comments)
        self.assignment = snapshot.assignment
        self._bytes = sum(map(payload_size, self.comments))

    def saved(self) -> dict[str, Any]:
        """Its fields of the snapshot."""
        return {"comments": tuple(self.comments), "assignment": self.assignment}

    def comment_problem(self, text: str) -> str | None:
        """Why the case does not take a comment; None if it does."""
        cleaned = clean_comment(text)
        if not cleaned:
            return "the comment is empty"
        if (size := len(cleaned.encode())) > LONGEST_COMMENT:
            return f"a comment takes at most {LONGEST_COMMENT:,} bytes, and this one has {size:,}"
        if len(self.comments) >= MOST_COMMENTS or self._bytes >= MOST_COMMENT_BYTES:
            return f"the case has {len(self.comments)} comments and takes no more: use your ticket"
        return None

    def comment(self, actor: Actor, text: str, now: datetime) -> Comment:
        """Add a comment."""
        comment = Comment(
            number=len(self.comments) + 1,
            at=now,
            author=actor.label,
            author_id=actor.identity.id,
            is_verified=actor.identity.is_verified,
            text=clean_comment(text),
        )
        self.comments.append(comment)
        self._bytes += payload_size(comment)
        return comment

    def assign(self, actor: Actor, to: AssignTo, now: datetime) -> str:
        """Assign the case; return the name of the assignee, empty if it is nobody."""
        name, id_ = to.assignee(actor)
        self.assignment = (
            Assignment(assignee=name, assignee_id=id_, by=actor.label, at=now) if name else None
        )
        return name
