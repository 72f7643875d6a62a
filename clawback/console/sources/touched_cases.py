"""Finds the cases that touch an address or a message, by keyed hashes that a URL may hold.

One key makes one hash, so after a rotation of keys a parameter has several, with dots between.
"""

from collections.abc import Sequence
from typing import Final

from temporalio.client import Client

from clawback.cases.touches import Mark, TouchedKind, touch_hash, touched_values
from clawback.console.errors import BadRequest
from clawback.model.messages import Target
from clawback.temporal import names
from clawback.temporal.case_entries import CaseEntry, list_entries
from clawback.temporal.case_history import HistoryUnreadable, read_case_history

MOST_LOOKED_INTO: Final = 20
"""Large campaigns whose history is read for one search; the others are in its result unread."""
_HASH_CHARACTERS: Final = 8
_MOST_KEYS: Final = 4
_MOST_HASHES: Final = _MOST_KEYS * len(TouchedKind)


def hash_of(keys: Sequence[bytes], value: str, *kinds: TouchedKind) -> str:
    """Return the parameter of a URL that stands for an address or an id of one of some kinds."""
    every = (touch_hash(key, kind, value) for key in keys[:_MOST_KEYS] for kind in kinds)
    return ".".join(every)


async def find_touched(
    client: Client, keys: Sequence[bytes], wanted: Sequence[str]
) -> frozenset[str]:
    """Return the ids of cases that touch everything in `wanted`, each as `hash_of` gives it.

    Raises:
        BadRequest: one is no hash.
        RPCError: the server does not answer.

    """
    every = [_split(one) for one in wanted]
    query = f"WorkflowType IN ('{names.CASE}', '{names.CASE_PART}')" + "".join(
        f" AND {names.TOUCHES_ATTRIBUTE} IN ({_quoted(hashes)})" for hashes in every
    )
    found: set[str] = set()
    looked = 0
    async for entry in list_entries(client, query):
        case_id, _ = names.case_and_part(entry.id)
        if case_id in found:
            continue
        if entry.is_truncated and looked < MOST_LOOKED_INTO:
            looked += 1
            if not await _touches(client, entry, keys, every):
                continue
        found.add(case_id)
    return frozenset(found)


async def _touches(
    client: Client, entry: CaseEntry, keys: Sequence[bytes], wanted: Sequence[Sequence[str]]
) -> bool:
    try:
        record = await read_case_history(client, entry.id, entry.run)
    except HistoryUnreadable:
        return True
    hashes = {one for target in record.targets.values() for one in _hashes(keys, target)}
    return all(not hashes.isdisjoint(one) for one in wanted)


def _hashes(keys: Sequence[bytes], target: Target) -> set[str]:
    return {touch_hash(key, kind, value) for key in keys for kind, value in touched_values(target)}


def _split(text: str) -> list[str]:
    hashes = text.split(".")
    are_good = all(
        len(one) == _HASH_CHARACTERS and one.replace("-", "").replace("_", "").isalnum()
        for one in hashes
    )
    if not are_good or len(hashes) > _MOST_HASHES:
        raise BadRequest(
            "sender, mailbox, message and touching take hashes; search again from the top bar"
        )
    return hashes


def _quoted(hashes: Sequence[str]) -> str:
    return ", ".join(names.quote_value(one) for one in (*hashes, Mark.TRUNCATED))
