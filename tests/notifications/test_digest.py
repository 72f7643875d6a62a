"""The digest of what waited during quiet hours: what it holds, and what people read."""

from datetime import timedelta

from clawback.cases.digest import (
    MOST_DESCRIBED,
    MOST_WAITING,
    Digest,
    DigestDelivery,
    WaitingNotification,
)
from clawback.model.size import payload_size
from clawback.notifications.digest_rendering import render_digest
from clawback.notifications.rendering import MAX_TEXT
from tests.notifications.samples import LINKS, NOW

UNTIL = NOW + timedelta(hours=9)


def waiting(number: int, subject: str = "[high] A rule: Held") -> WaitingNotification:
    return WaitingNotification(
        id=f"{number:032x}", subject=subject, link=f"https://c.test/{number}", at=NOW, until=UNTIL
    )


def digest(count: int, subject: str = "[high] A rule: Held") -> Digest:
    found = Digest(channel="soc")
    for number in range(count):
        found = found.plus(waiting(number, subject))
    return found


def test_a_digest_has_one_line_for_each_that_waited() -> None:
    """With its time and link."""
    rendered = render_digest(DigestDelivery(id="i", at=UNTIL, digest=digest(2)), LINKS, "7:ab")
    assert rendered.subject == "2 notifications from quiet hours"
    assert rendered.link == "https://console.test/"
    assert rendered.text.splitlines()[1:] == [
        "11-22 12:00 [high] A rule: Held https://c.test/0",
        "11-22 12:00 [high] A rule: Held https://c.test/1",
        "Audit head: 7:ab",
    ]


def test_a_long_digest_counts_what_it_has_no_room_for() -> None:
    """Nothing is left out in silence."""
    full = digest(900, "x" * 150)
    full = full.with_refused()
    lines = render_digest(DigestDelivery(id="i", at=UNTIL, digest=full), LINKS).text.splitlines()
    shown = sum(line.startswith("11-22") for line in lines)
    assert lines[-2:] == [
        f"and {900 - shown} more",
        "and 1 for which the digest had no room",
    ]
    assert len("\n".join(lines).encode()) <= MAX_TEXT


def test_a_digest_stays_small() -> None:
    """It is the state of a workflow; those beyond the first are only remembered by their ids."""
    full = digest(MOST_WAITING, "é" * 100)
    assert not full.has_room
    assert sum(bool(one.subject) for one in full.waiting) == MOST_DESCRIBED
    assert payload_size(full) < 512 * 1024


def test_one_that_waits_already_is_not_added_again() -> None:
    """The request to put it off is repeated after a lost answer."""
    assert digest(2).plus(waiting(1)) == digest(2)


def test_what_came_during_the_delivery_waits_on() -> None:
    """With what had no room since."""
    delivered = digest(2).with_refused()
    left = delivered.plus(waiting(7)).with_refused().after(delivered)
    assert ([one.id for one in left.waiting], left.refused) == ([waiting(7).id], 1)
