"""Finds the id of a case from what people type or a link holds.

CaseIdError
├── NoCaseId         the text is no id of a case, whole or short
├── UnknownCase      no case has it
└── AmbiguousCase    several cases have it; has their ids
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from temporalio.client import Client

from clawback.model.texts import bounded
from clawback.temporal import names
from clawback.temporal.case_entries import list_entries
from clawback.temporal.case_index import CaseFilter

FEWEST_DIGITS: Final = 4
"""Digits of the hash that name a case; of 10,000 cases one in seven shares its first four."""
MOST_CANDIDATES: Final = 20
_DIGITS = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},16}}")
_OF_RULE = re.compile(rf"(?:{names.CASE}/)?(?P<rule>[^/]+)/(?P<digits>[0-9a-f]{{4,16}})(?:/\d+)?")
"""The id of a part of a campaign names the case, which is shown and answered as one."""
_ALL_DIGITS: Final = 16
_LONGEST: Final = 100


class CaseIdError(LookupError):
    """A text does not name one case; the message says why."""


class NoCaseId(CaseIdError):
    """The text has none of the forms of an id."""


class UnknownCase(CaseIdError):
    """No case has such an id."""


class AmbiguousCase(CaseIdError):
    """Several cases have such an id."""

    def __init__(self, name: "CaseName", candidates: Sequence[str]) -> None:
        more = ["…"] if len(candidates) >= MOST_CANDIDATES else []
        super().__init__("\n  ".join([f"{name} is ambiguous; use one of", *candidates, *more]))
        self.candidates = candidates


@dataclass(frozen=True)
class CaseName:
    """What people type for a case: the first digits of its hash, or all, and perhaps its rule.

    Only what begins with `case/` `is_whole`: people copy that, and shorten what they type.
    """

    digits: str
    rule: str = ""
    is_whole: bool = False

    @classmethod
    def parse(cls, text: str) -> "CaseName":
        """Parse an id, `<rule>/<hash>`, or four or more digits of the hash.

        Raises:
            NoCaseId: the text is none of these.

        """
        typed = text.strip()
        if (digits := _DIGITS.fullmatch(typed.lower())) is not None:
            return cls(digits[0])
        if (parts := _OF_RULE.fullmatch(typed)) is not None:
            is_whole = len(parts["digits"]) == _ALL_DIGITS and typed.startswith(f"{names.CASE}/")
            return cls(parts["digits"], parts["rule"], is_whole)
        raise NoCaseId(
            f"{bounded(typed, _LONGEST)!r} is no id of a case: use case/<rule>/<hash>, "
            f"<rule>/<hash>, or {FEWEST_DIGITS} or more digits of the hash, "
            "as `clawback case list` shows them"
        )

    @property
    def id(self) -> str:
        """The id of the case, or what it begins with; without a rule it is not known."""
        return f"{names.CASE}/{self.rule}/{self.digits}"

    def __str__(self) -> str:
        return self.id if self.rule else self.digits


async def find_case_id(client: Client, text: str) -> str:
    """Find the id of a case from all of it, `<rule>/<hash>`, or four or more digits of the hash.

    A whole id is returned as it is, and may be that of no case: its audit may outlive it.

    Raises:
        NoCaseId: the text is no id.
        UnknownCase: no case fits.
        AmbiguousCase: several cases fit.
        RPCError: the server does not answer.

    """
    name = CaseName.parse(text)
    if name.is_whole:
        return name.id
    if not name.rule:
        return require_one(name, await _find(client, CaseFilter(hash_prefix=name.digits)))
    if found := await _find(client, CaseFilter(id_prefix=name.id)):
        return require_one(name, found)

    others = await _find(client, CaseFilter(hash_prefix=name.digits))
    raise UnknownCase(_describe_unknown(name, others))


async def _find(client: Client, wanted: CaseFilter) -> list[str]:
    """Find the ids of cases, each once; the index has a line for each of its campaigns."""
    found: dict[str, None] = {}
    async for entry in list_entries(client, wanted.query(())):
        found[entry.id] = None
        if len(found) >= MOST_CANDIDATES:
            break
    return sorted(found)


def require_one(name: CaseName, found: Sequence[str]) -> str:
    """Return the one id that was found.

    Raises:
        UnknownCase: there is none.
        AmbiguousCase: there are several.

    """
    if not found:
        raise UnknownCase(_describe_unknown(name, ()))
    if len(found) > 1:
        raise AmbiguousCase(name, found)
    return found[0]


def _describe_unknown(name: CaseName, others: Sequence[str]) -> str:
    if others:
        return "\n  ".join([f"there is no case {name}; did you mean", *others])
    elsewhere = "`clawback audit search` older ones"
    return f"there is no case {name}; `clawback case list` has those of Temporal, {elsewhere}"
