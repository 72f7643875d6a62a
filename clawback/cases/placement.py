"""Where matches of a large campaign go: what its case is told of them, and what it answers.

Whoever has many matches asks the case by their sizes, and sends them to its parts directly: the
case alone need not carry all of its campaign.
"""

from clawback.cases.plan import Match
from clawback.model.payload import Payload
from clawback.model.size import payload_size


class MatchSize(Payload):
    """How large a match is: its key, and the bytes of its messages and of their ids.

    `request_bytes` are those of the messages as requests have them, without subjects.
    """

    key: str
    messages: int = 0
    message_bytes: int = 0
    request_bytes: int = 0
    id_bytes: int = 0

    @classmethod
    def of(cls, match: Match) -> "MatchSize":
        """Measure a match."""
        return cls(
            key=match.key,
            messages=len(match.targets),
            message_bytes=sum(payload_size(target) for target in match.targets),
            request_bytes=sum(payload_size(target.without_texts) for target in match.targets),
            id_bytes=sum(payload_size(target.id) for target in match.targets),
        )
