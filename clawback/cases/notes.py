"""Comments on a case, and who works on it."""

from typing import Final

from pydantic import ValidationError

from clawback.model.identity import Actor
from clawback.model.payload import Payload
from clawback.model.texts import bounded, printable
from clawback.model.times import UtcDatetime

MOST_COMMENTS: Final = 100
LONGEST_COMMENT: Final = 2000
"""Bytes of one comment."""
MOST_COMMENT_BYTES: Final = 225 * 1000
"""Bytes of all comments of a case, as its state has them."""
LONGEST_ASSIGNEE: Final = 120


class Comment(Payload):
    """What somebody wrote about a case. `author` is a name, `author_id` the same as `Identity.id`.

    `is_verified` says that an identity provider vouches for the author.
    """

    number: int
    at: UtcDatetime
    author: str
    author_id: str
    is_verified: bool = False
    text: str


class Assignment(Payload):
    """Who works on a case, and who said so. `assignee_id` is empty where only a name is known."""

    assignee: str
    assignee_id: str = ""
    by: str
    at: UtcDatetime


class AssignTo(Payload):
    """To whom somebody assigns a case: to themselves, to a name, or to nobody."""

    name: str = ""
    is_self: bool = False

    @classmethod
    def parse(cls, content: str) -> "AssignTo | None":
        """Read the content of an order; None if it cannot be read."""
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            return None

    def assignee(self, actor: Actor) -> tuple[str, str]:
        """Return the name of the assignee and the id, each as far as it is known."""
        if self.is_self:
            return actor.label, actor.identity.id
        return clean_name(self.name), ""


def clean_comment(text: str) -> str:
    """Replace what a terminal or a page must not print; lines stay."""
    return printable(text.replace("\r\n", "\n").strip(), keep="\n\t")


def clean_name(name: str) -> str:
    """Bring the name of an assignee into one short line."""
    return bounded(" ".join(printable(name).split()), LONGEST_ASSIGNEE)
