"""Splits a match about very many messages, such as the copies of one mail in every mailbox."""

from collections.abc import Iterator

from clawback.cases import Match
from clawback.model.size import MATCH_LIMIT, split_by_size


def split_match(match: Match, identity: str) -> Iterator[Match]:
    """Give the match in parts of at most `MATCH_LIMIT` bytes of messages.

    Each part has a key of its own, and all count once: `identity` is that of the record.
    """
    # A match without targets still has one, empty part.
    first, *others = tuple(split_by_size(match.targets, MATCH_LIMIT)) or ((),)
    yield match.model_copy(update={"targets": first}) if others else match
    for number, targets in enumerate(others, 2):
        changes = {"key": f"{match.key}+{number}", "identity": identity, "targets": targets}
        yield match.model_copy(update={**changes, "reasons": (), "reporter": None})
