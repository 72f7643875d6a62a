"""The domains of the account that a corpus was sent to."""

from collections import Counter
from collections.abc import Iterable, Iterator

from clawback.simulator.corpus import Line
from clawback.simulator.field_checks import domain

_LEAST_SHARE = 10
"""A domain is the account's if at least one message in so many was for a mailbox in it.

Recipients of other companies, which a message has beside the account's, are less frequent.
"""


def own_domains(lines: Iterable[Line]) -> tuple[str, ...]:
    """Find the domains of the account by the recipients of its mail, the most frequent first."""
    messages = [line.record for line in lines if line.kind == "message"]
    counted = Counter(
        name for record in messages for name in set(_domains(record.get("client_recipients")))
    )
    return tuple(
        name for name, count in counted.most_common() if count * _LEAST_SHARE >= len(messages)
    )


def _domains(recipients: object) -> Iterator[str]:
    for recipient in recipients if isinstance(recipients, list) else ():
        name = str(recipient).rpartition("@")[2].strip(" >.").lower()
        if domain(name) is None:
            yield name
