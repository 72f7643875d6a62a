"""Finds the id of a case from what people type or a link holds.

CaseIdError
├── UnknownCase      no case fits
└── AmbiguousCase    several cases fit; has their ids
"""

import re

from temporalio.client import Client

from clawback.temporal import names
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter

_PREFIX = f"{names.CASE}/"
_HASH = re.compile(r"[0-9a-f]{4,16}")
_PART = re.compile(r"(case/[^/]+/[0-9a-f]{16})/\d+")
"""The id of a part of a campaign, which is shown and answered as one case."""
_MOST = 1000
_NAMED = 5


class CaseIdError(LookupError):
    """A text does not name one case; the message says why."""


class UnknownCase(CaseIdError):
    """No case has such an id."""


class AmbiguousCase(CaseIdError):
    """Several cases have such an id."""

    def __init__(self, text: str, candidates: list[str]) -> None:
        shown = ", ".join(candidates[:_NAMED]) + (", …" if len(candidates) > _NAMED else "")
        super().__init__(f"{text} is ambiguous: {shown}")
        self.candidates = candidates


async def find_case_id(client: Client, text: str) -> str:
    """Find the id of a case from all of it, `<rule>/<hash>`, or a prefix of the hash.

    Raises:
        UnknownCase: no case fits.
        AmbiguousCase: several cases fit.
        RPCError: the server does not answer.

    """
    text = _PART.sub(r"\1", text)
    if text.count("/") == _PREFIX.count("/") + 1 and text.startswith(_PREFIX):
        return text

    cases = CaseGateway(client)
    if _HASH.fullmatch(text):
        lines = await cases.find(CaseFilter(), _MOST)
        lines = [line for line in lines if line.id.rpartition("/")[2].startswith(text)]
    else:
        prefix = f"{_PREFIX}{text.removeprefix(_PREFIX)}"
        lines = await cases.find(CaseFilter(id_prefix=prefix), _MOST)

    found = list(dict.fromkeys(line.id for line in lines))
    if not found:
        raise UnknownCase(f"there is no case {text}; see `clawback case list`")
    if len(found) > 1:
        raise AmbiguousCase(text, found)
    return found[0]
