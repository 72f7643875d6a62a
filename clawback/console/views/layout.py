"""What every page has around its content: navigation, who is signed in, the stop banner."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NavigationLink:
    """One link of the top bar; `key` is the letter that follows `g`."""

    title: str
    path: str
    key: str
    is_current: bool = False
    count: str = ""


@dataclass(frozen=True)
class StopBanner:
    """Says that containment is stopped, or that this is not known."""

    text: str
    is_unknown: bool = False
    may_resume: bool = False


@dataclass(frozen=True)
class Layout:
    """The frame of one page.

    `title` is that of the browser's tab. `topic` is what the page hears of by server-sent events;
    empty if nothing. `returns_to` is the path to come back to after signing in. `session_seconds`
    is how long the session lasts if nothing is done in it.
    """

    title: str
    nonce: str
    files: Mapping[str, str]
    csrf: str = ""
    navigation: tuple[NavigationLink, ...] = ()
    who: str = ""
    session_seconds: int = 0
    role: str = ""
    zone: str = "UTC"
    stop: StopBanner | None = None
    may_stop: bool = False
    topic: str = ""
    command: str = ""
    returns_to: str = "/"
    as_of: str = ""
    has_letter_keys: bool = True
    has_charts: bool = False
    notices: tuple[str, ...] = field(default=())
