"""How URLs and forms name cases: `<rule>/<hash>`, and `/<digits of the run>` for one campaign."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from clawback.console.errors import BadRequest
from clawback.console.sources.read_model import ListedCase, ReadModel
from clawback.temporal import names

MOST_CASES: Final = 100
"""Cases that one decision may name."""
_KEY: Final = re.compile(
    r"(?P<rule>[^/\s]{1,200})/(?P<hash>[0-9a-f]{16})(?:/(?P<run>[0-9a-f]{8}))?"
)


@dataclass(frozen=True)
class CaseKey:
    """One case of a rule; with `run`, one campaign of it and no later one."""

    rule: str
    hash: str
    run: str = ""

    @classmethod
    def of(cls, case: ListedCase) -> "CaseKey":
        """Name exactly this campaign."""
        return cls(case.rule, case.hash, case.run[:8])

    @classmethod
    def read(cls, text: str) -> "CaseKey":
        """Read one name.

        Raises:
            BadRequest: it is none.

        """
        found = _KEY.fullmatch(text)
        if found is None:
            raise BadRequest(f"case: `{text[:60]}` is no case; use rule/hash, with all 16 digits")
        return cls(found["rule"], found["hash"], found["run"] or "")

    @property
    def id(self) -> str:
        """The id of the workflow."""
        return f"{names.CASE}/{self.rule}/{self.hash}"

    @property
    def short_id(self) -> str:
        """The id as people read and type it."""
        return names.short_id(self.id)

    @property
    def path(self) -> str:
        """The path of its page."""
        run = f"?run={self.run}" if self.run else ""
        return f"/cases/{self.rule}/{self.hash}{run}"

    def find(self, model: ReadModel) -> ListedCase | None:
        """Find it among the known cases."""
        return model.find(self.id, self.run)

    def __str__(self) -> str:
        """What a URL or a form holds."""
        return "/".join(filter(None, (self.rule, self.hash, self.run)))


def read_keys(texts: Iterable[str]) -> tuple[CaseKey, ...]:
    """Read the cases that a request names, each once.

    Raises:
        BadRequest: one is no case, there is none, or there are too many.

    """
    keys = tuple(dict.fromkeys(map(CaseKey.read, texts)))
    if not keys:
        raise BadRequest("case: name at least one case; select some in a list first")
    if len(keys) > MOST_CASES:
        raise BadRequest(f"case: name at most {MOST_CASES} cases; there are {len(keys):,}")
    return keys
