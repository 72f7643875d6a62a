"""What somebody wants to undo, as a URL or a form has it, and what there is to undo of it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final
from urllib.parse import urlencode

from clawback.case_files.undo_preview import Judgement, UndoJudge
from clawback.cases.touches import touch_hash, touched_values
from clawback.cases.undo_plan import UndoScope, plan_undo
from clawback.console.errors import BadRequest, NoSuchObject
from clawback.console.requests.case_keys import CaseKey, read_keys
from clawback.console.requests.history_query import HASHED, format_time, read_time
from clawback.console.services import Services
from clawback.console.sources.touched_cases import find_touched
from clawback.local.worker_api import open_worker_api
from clawback.model.identity import Actor
from clawback.model.messages import Target
from clawback.model.texts import plural
from clawback.temporal.fan_out import gather_limited
from clawback.temporal.undo_gateway import Found, FoundUndo, NothingKnown, UndoCandidate

PARAMETERS: Final = frozenset({"rule", "sender", "mailbox", "message", "since", "until", "after"})
REPEATABLE: Final = frozenset({"case"})
MOST_MESSAGES: Final = 1_000
"""Messages that an undo may name one by one; the scope is copied to every case."""
_MOST_TOUCHED: Final = 500


@dataclass(frozen=True)
class UndoSelection:
    """Which cases, and what of them.

    `sender`, `mailbox` and `message` are hashes: of cases that touch them, only their messages are
    undone, and the cases go on.
    """

    keys: tuple[CaseKey, ...] = ()
    rule: str = ""
    sender: str = ""
    mailbox: str = ""
    message: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(
        cls, query: Mapping[str, str], cases: Iterable[str], now: datetime, zone: tzinfo
    ) -> "UndoSelection":
        """Read a selection.

        Raises:
            BadRequest: a value is wrong, or nothing is selected.

        """
        named = list(cases)
        selection = cls(
            keys=read_keys(named) if named else (),
            **{name: query.get(name, "") for name in ("rule", *HASHED)},
            since=read_time(query, "since", now, zone),
            until=read_time(query, "until", now, zone),
        )
        if selection == cls():
            raise BadRequest("say what to undo: case, rule, sender, mailbox, message or since")
        return selection

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of what the messages must touch."""
        return tuple(filter(None, (self.sender, self.mailbox, self.message)))

    @property
    def is_wide(self) -> bool:
        """Whether it is about a rule or a time, and not about things that somebody has named."""
        return not self.keys and not self.hashes

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """What a URL or a form has."""
        values = [("case", str(key)) for key in self.keys]
        values += [(name, getattr(self, name)) for name in ("rule", *HASHED)]
        values += [("since", format_time(self.since)), ("until", format_time(self.until))]
        return tuple((name, value) for name, value in values if value)

    @property
    def path(self) -> str:
        """The path of its dry run."""
        if len(self.keys) == 1 and len(self.fields) == 1:
            key = self.keys[0]
            run = f"?run={key.run}" if key.run else ""
            return f"/cases/{key.rule}/{key.hash}/undo{run}"
        return f"/undo?{urlencode(self.fields)}"

    def describe(self) -> str:
        """Name it, for people and for lists; without addresses."""
        parts = []
        if len(self.keys) == 1:
            parts.append(f"case {self.keys[0].rule} {self.keys[0].short_id}")
        elif self.keys:
            parts.append(plural(len(self.keys), "case"))
        if self.rule:
            parts.append(f"all cases of the rule {self.rule}")
        parts += [f"the messages of one {name}" for name in HASHED if getattr(self, name)]
        if self.since:
            parts.append(f"since {self.since:%Y-%m-%d %H:%M} UTC")
        if self.until:
            parts.append(f"until {self.until:%Y-%m-%d %H:%M} UTC")
        return ", ".join(parts)


@dataclass(frozen=True)
class UndoPreview:
    """What an undo would do. `digest` binds a confirmation to exactly this."""

    selection: UndoSelection
    scope: UndoScope
    found: FoundUndo
    judgement: Judgement

    @property
    def digest(self) -> str:
        """The digest of the plan, and of the cases that are not in it yet."""
        judged = self.judgement.assessment.digest
        if not self.found.unread:
            return judged
        runs = "\0".join(sorted(one.entry.run for one in self.found.unread))
        return f"{judged}-{hashlib.sha256(runs.encode()).hexdigest()[:12]}"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to undo."""
        return not self.found.candidates and not self.found.unread


async def preview_undo(services: Services, selection: UndoSelection, actor: Actor) -> UndoPreview:
    """Work out what an undo comes to now.

    Raises:
        NoSuchObject: a case or rule does not exist.
        RPCError: the server does not answer.

    """
    scope = UndoScope(actor=actor, since=selection.since, until=selection.until)
    try:
        found = await _find(services, selection, scope)
    except NothingKnown as error:
        raise NoSuchObject(str(error)) from None
    if selection.hashes:
        scope, found = _narrow(services, selection, scope, found)

    limits = await services.limits.undo()
    judge = UndoJudge(services.client, lambda: open_worker_api(services.settings), limits)
    return UndoPreview(selection, scope, found, await judge.judge(found, actor))


async def _find(services: Services, selection: UndoSelection, scope: UndoScope) -> FoundUndo:
    if selection.keys:
        found = await gather_limited(lambda key: _find_case(services, key, scope), selection.keys)
        return _join(found)
    if not selection.hashes:
        return await services.undo.find(scope, rule=selection.rule or None)

    touched = await find_touched(services.client, services.cases.index_keys, selection.hashes)
    ids = sorted(
        id_ for id_ in touched if not selection.rule or id_.split("/")[1] == selection.rule
    )
    if len(ids) > _MOST_TOUCHED:
        raise BadRequest(
            f"more than {_MOST_TOUCHED} cases touch this; narrow it down by a time or a rule"
        )
    named = (CaseKey.read(id_.partition("/")[2]) for id_ in ids)
    return _join(await gather_limited(lambda key: _find_case(services, key, scope), named))


async def _find_case(services: Services, key: CaseKey, scope: UndoScope) -> FoundUndo:
    """Find what can be undone of one case; of one campaign of it if the key names its run."""
    found = await services.undo.find(scope, case=key.id)
    if not key.run:
        return found
    campaigns = {
        one.plan.counted_as for one in found.candidates if one.case.run.startswith(key.run)
    }
    return FoundUndo(
        tuple(one for one in found.candidates if one.plan.counted_as in campaigns),
        tuple(one for one in found.unreadable if one.run.startswith(key.run)),
        tuple(one for one in found.unread if one.counted_as in campaigns),
    )


def _join(found: Iterable[FoundUndo]) -> FoundUndo:
    joined: list[Found] = []
    for one in found:
        joined += [*one.candidates, *one.unreadable, *one.unread]
    return FoundUndo.of(joined)


def _narrow(
    services: Services, selection: UndoSelection, scope: UndoScope, found: FoundUndo
) -> tuple[UndoScope, FoundUndo]:
    """Leave only the messages that somebody named, so that the cases go on."""
    wanted = [frozenset(hashes.split(".")) for hashes in selection.hashes]
    keys = services.cases.index_keys

    def is_wanted(target: Target) -> bool:
        hashes = {
            touch_hash(key, kind, value) for key in keys for kind, value in touched_values(target)
        }
        return all(not hashes.isdisjoint(one) for one in wanted)

    messages = {
        id_
        for one in found.candidates
        for id_, target in one.basis.targets.items()
        if is_wanted(target)
    }
    if len(messages) > MOST_MESSAGES:
        raise BadRequest(
            f"this is about more than {MOST_MESSAGES:,} messages; undo their cases as a whole"
        )
    narrowed = scope.model_copy(update={"messages": tuple(sorted(messages))})
    return narrowed, FoundUndo(tuple(_replan(found.candidates, narrowed)), found.unreadable)


def _replan(candidates: Iterable[UndoCandidate], scope: UndoScope) -> Iterable[UndoCandidate]:
    for one in candidates:
        plan = plan_undo(one.basis, scope)
        if plan.size or plan.irreversible:
            yield replace(one, plan=plan)
