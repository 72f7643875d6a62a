"""What the kinds of benign mail share: people, companies, words and sender authentication."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from bench.benign_texts import (
    COMPANIES,
    LANGUAGES,
    PEOPLE,
    REPOSITORIES,
    SAME_EVERYWHERE,
    SUBJECTS,
    TOPICS,
)

COMPANY: Final = "halden-instruments.example"
COLLEAGUES = tuple(
    f"{first}.{last}"
    for first in ("ana", "bo", "chidi", "dana", "eino", "fay", "gus", "hana")
    for last in ("lind", "ferrer", "okafor", "weiss", "salo")
)
FREE_MAIL = ("gmail.com", "outlook.com", "gmx.de", "yahoo.com", "icloud.com", "hotmail.com")
_TITLES = (" (CEO)", ", Managing Director", " (CFO)")
_LATIN = {"ł": "l", "Ł": "L", "ß": "ss", "ø": "o"}


class Proof(NamedTuple):
    """The results of sender authentication."""

    dmarc: str = "pass"
    spf: str = "pass"
    dkim: str = "pass"


PASSED = Proof()


@dataclass(frozen=True, slots=True)
class Mail:
    """One message, apart from its recipient. `copies` is how many mailboxes it reaches.

    Attachments are name, media type and size; links are target and visible text. `body` tells the
    bodies of one sender apart.
    """

    sender: str
    from_name: str
    subject: str
    body: str = ""
    reply_to: str | None = None
    envelope: str | None = None
    addressed_to: str | None = None
    registered_domain: str | None = None
    proof: Proof = PASSED
    verdict: str = "NONE"
    ip: str = "192.0.2.25"
    copies: int = 1
    links: tuple[tuple[str, str | None], ...] = ()
    attachments: tuple[tuple[str, str, int], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


class Writer:
    """Draws one correspondent and what a message of theirs says."""

    def __init__(self, random: Random, at: datetime) -> None:
        self.random = random
        self._at = at
        self.language = random.choices(list(LANGUAGES), list(LANGUAGES.values()))[0]
        self.person = random.choice(PEOPLE[self.language])
        self.company = random.choice(COMPANIES[self.language])
        self.number = (
            f"{random.choice(('', 'RE', 'INV-', '2026-'))}{random.randrange(10**4, 10**6)}"
        )
        self.code = str(random.randrange(10**5, 10**6))
        self.topic = random.choice(TOPICS[self.language])
        self.repository = random.choice(REPOSITORIES)
        self.domain = f"{as_host(self.company, self.random)}.example"

    @property
    def address(self) -> str:
        """The address of the person at the company."""
        return f"{as_local_part(self.person)}@{self.domain}"

    @property
    def private_address(self) -> str:
        """The address of the person at home."""
        number = self.random.randrange(100)
        return f"{as_local_part(self.person)}{number}@{self.random.choice(FREE_MAIL)}"

    def titled(self) -> str:
        """The name of the person, sometimes with a title as executives write it."""
        return self.person + (self.random.choice(_TITLES) if self.chance(0.03) else "")

    def chance(self, share: float) -> bool:
        """Whether something happens that happens in this share of cases."""
        return self.random.random() < share

    def subject(self, kind: str) -> str:
        """Write the subject of a kind of mail."""
        texts = SAME_EVERYWHERE.get(kind) or SUBJECTS[kind][self.language]
        day = self._at + timedelta(days=self.random.randrange(14))
        return self.random.choice(texts).format(
            number=self.number,
            company=self.company,
            person=self.person,
            topic=self.topic,
            day=f"{day:%Y-%m-%d}",
            amount=f"{self.random.randrange(5, 900)}.{self.random.randrange(100):02d} EUR",
            code=self.code,
            repository=self.repository,
        )

    def proof(self, *, none: float = 0.0, fail: float = 0.0) -> Proof:
        """Draw the results of sender authentication; the shares are those of DMARC."""
        drawn = self.random.random()
        if drawn < fail:
            return Proof(dmarc="fail", spf="fail", dkim=self.random.choice(("none", "fail")))
        if drawn < fail + none:
            return Proof(dmarc="none", spf=self.random.choice(("pass", "none")), dkim="none")
        return Proof(spf="fail" if self.chance(0.03) else "pass")

    def answer(self) -> dict[str, str]:
        """Write the headers of an answer."""
        reference = f"<{self.random.getrandbits(64):016x}@{COMPANY}>"
        return {"In-Reply-To": reference, "References": reference}

    def file(self, name: str, content_type: str, largest: int = 400_000) -> tuple[str, str, int]:
        """Draw an attachment."""
        return name, content_type, self.random.randrange(4_000, largest)

    def pdf(self, stem: str) -> tuple[str, str, int]:
        """Draw a PDF."""
        return self.file(f"{stem}_{self.number}.pdf", "application/pdf")


def as_local_part(name: str) -> str:
    """Write a name as the local part of an address."""
    return ".".join(_ascii(name).lower().split()) or "info"


def as_host(name: str, random: Random) -> str:
    """Write the name of a company as the first label of its domain."""
    host = "-".join(_ascii(name).lower().split())
    return f"mail.{host}" if random.random() < 0.1 else host


def _ascii(name: str) -> str:
    latin = "".join(_LATIN.get(letter, letter) for letter in name)
    return unicodedata.normalize("NFKD", latin).encode("ascii", "ignore").decode()
