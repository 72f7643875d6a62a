"""Links that sign a browser in once."""

from clawback.identity.links import LINK_SECONDS, OneTimeLinks

SECRET = b"s" * 32


class Clock:
    """A clock that a test moves."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_link_counts_once() -> None:
    """In the process that it is for, which need not be the one that made it."""
    clock = Clock()
    links = OneTimeLinks([SECRET], "console", clock)
    link = OneTimeLinks([SECRET], "console", clock).create()
    assert links.use(link)
    assert not links.use(link)


def test_a_link_of_another_purpose_key_or_time_is_no_good() -> None:
    """A link for payloads does not open the console, and none is good for long."""
    clock = Clock()
    links = OneTimeLinks([SECRET], "console", clock)
    assert not links.use(OneTimeLinks([SECRET], "codec", clock).create())
    assert not links.use(OneTimeLinks([b"o" * 32], "console", clock).create())
    for rubbish in ("", ".", "x.y", links.create()[:-1], links.create() + "é"):
        assert not links.use(rubbish)

    late = links.create()
    clock.now += LINK_SECONDS + 1
    assert not links.use(late)


def test_a_former_key_still_signs_until_it_leaves_the_ring() -> None:
    """The current one is the first."""
    clock = Clock()
    link = OneTimeLinks([SECRET], "console", clock).create()
    assert OneTimeLinks([b"n" * 32, SECRET], "console", clock).use(link)


def test_a_restart_uses_every_link_up() -> None:
    """What was used before is not known any more."""
    clock = Clock()
    link = OneTimeLinks([SECRET], "console", clock).create()
    clock.now += 1
    assert not OneTimeLinks([SECRET], "console", clock).use(link)
