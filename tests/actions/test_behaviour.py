"""What each action says about itself: precheck, conflicts, inverse, descriptions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from clawback.actions import (
    ACTIONS,
    AllowSender,
    BlockSender,
    BulkMove,
    Conflict,
    ContainmentAction,
    Move,
    Notify,
    ProtectIdentity,
    Reclassify,
    Release,
    TrustDomain,
    UndoPart,
)
from clawback.actions.registry import CONTAINMENT
from clawback.cloudflare.operation_catalogue import OPERATIONS
from clawback.model.addresses import PatternKind
from clawback.model.messages import Destination, Disposition, Target
from workflows.steps.containment import STEPS

NOW = datetime(2026, 11, 22, tzinfo=UTC)
JUNK, INBOX = Move(destination=Destination.JUNK), Move(destination=Destination.INBOX)
PURGE = Move(destination=Destination.PURGES)
SPAM, CLEAN = Reclassify(disposition=Disposition.SPAM), Reclassify(disposition=Disposition.NONE)
BLOCK = BlockSender(pattern="a@x.example.com")
ALLOW = AllowSender(pattern="a@x.example.com")


def target(id_: str, *, quarantined: bool | None = None, verdict: str | None = None) -> Target:
    """A message."""
    return Target(id=id_, at=NOW, quarantined=quarantined, verdict=verdict)


TARGETS = (target("m1", quarantined=True), target("m2", quarantined=False), target("m3"))


@pytest.mark.parametrize(
    ("action", "known"),
    [
        (JUNK, {"m1": "already_there"}),
        (BulkMove(destination=Destination.JUNK, sender="a"), {"m1": "already_there"}),
        (INBOX, {}),
        (Release(), {"m2": "already_there"}),
        (SPAM, {}),
        (BLOCK, {}),
        (BlockSender(pattern="nobody"), {"nobody": "failed:not_an_address"}),
        (TrustDomain(pattern="x.test", recent=False), {"x.test": "failed:trusts_nothing"}),
        (ProtectIdentity(display_name=" ", email="a@x.test"), {"a@x.test": "failed:no_name"}),
    ],
)
def test_a_precheck_knows_some_outcomes(action: ContainmentAction, known: dict[str, str]) -> None:
    """Handled messages stay where they are, and what the API would refuse is not tried."""
    assert action.precheck(TARGETS, {"m1"}) == known


def test_a_reclassification_needs_a_message() -> None:
    """A case whose events have no message has nothing to reclassify."""
    assert SPAM.precheck((), ()) == {"": "failed:no_message"}


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        (JUNK, INBOX, Conflict.OPPOSITE),
        (JUNK, Release(), Conflict.OPPOSITE),
        (BLOCK, ALLOW, Conflict.OPPOSITE),
        (SPAM, CLEAN, Conflict.OPPOSITE),
        (JUNK, PURGE, Conflict.DIVERGENT),
        (SPAM, Reclassify(disposition=Disposition.BULK), Conflict.DIVERGENT),
        (JUNK, JUNK, None),
        (JUNK, SPAM, None),
        (JUNK, Notify(channel="soc"), None),
        (BLOCK, BlockSender(pattern="b@x.example.com"), None),
    ],
)
def test_conflicts_are_symmetric(
    first: ContainmentAction, second: ContainmentAction, conflict: Conflict | None
) -> None:
    """Two actions conflict if one restores what the other withholds, or if only one can win."""
    assert first.conflict_with(second) is second.conflict_with(first) is conflict


@pytest.mark.parametrize(
    ("action", "approvers", "asks"),
    [
        (JUNK, 1, False),
        (PURGE, 2, True),
        (BulkMove(destination=Destination.JUNK, sender="a"), 1, True),
        (BulkMove(destination=Destination.PURGES, sender="a"), 2, True),
        (BLOCK, 1, False),
        (BlockSender(pattern="x.test", kind=PatternKind.DOMAIN), 2, True),
        (ALLOW, 2, True),
        (TrustDomain(pattern="x.test"), 2, True),
        (Release(), 1, False),
    ],
)
def test_wide_impact_needs_two_people(
    action: ContainmentAction, approvers: int, *, asks: bool
) -> None:
    """Wide-impact actions need two approvers in every mode; a search needs one."""
    assert (action.approvers, action.approval_reason is not None) == (approvers, asks)


def undo(action: ContainmentAction, subjects: Sequence[str]) -> UndoPart:
    """The undo of an action that took effect on some subjects."""
    targets = {one.id: one for one in (target("m1", verdict="SUSPICIOUS"), target("m2"))}
    return action.undo(subjects, targets.get)


def test_moved_messages_return() -> None:
    """Messages go back to the inbox; those that went there stay."""
    assert [one.id for one in undo(JUNK, ["m1", "m2"]).messages] == ["m1", "m2"]
    assert undo(INBOX, ["m1"]) == UndoPart()


def test_a_reclassification_is_answered_by_its_opposite() -> None:
    """What was called clean gets its former verdict back."""
    assert [one.disposition for one in undo(SPAM, ["m1"]).corrections] == [Disposition.NONE]
    assert [one.disposition for one in undo(CLEAN, ["m1"]).corrections] == [Disposition.SUSPICIOUS]


@pytest.mark.parametrize("action", [BLOCK, ALLOW, TrustDomain(pattern="x.test")])
def test_policies_are_removed(action: ContainmentAction) -> None:
    """Every policy that was created is removed, and none that was not."""
    assert undo(action, ["subject"]).policies == (action,)
    assert undo(action, []) == UndoPart()


def test_a_release_is_irreversible() -> None:
    """Undo says so."""
    assert undo(Release(), ["m1"]).irreversible == ("release from quarantine",)


def test_a_repeated_block_stands_longer() -> None:
    """The last duration applies to all further blocks of a pattern."""
    days = tuple(timedelta(days=count) for count in (7, 30))
    block = BlockSender(pattern="a@x.test", expires_after=days)
    assert [block.lifetime(repeats).days for repeats in range(4)] == [7, 30, 30, 30]


def test_variants_of_a_mailbox_are_one_block() -> None:
    """Whatever name of a mailbox a rule gives, the entry finds all of them."""
    blocks = [
        BlockSender(pattern=name, variants=True)
        for name in ("ab@gmail.com", "A.B+1@googlemail.com")
    ]

    assert blocks[0].fields == blocks[1].fields
    assert blocks[0].fields["is_regex"] is True
    assert {block.label for block in blocks} == {"ab@gmail.com"}
    assert len({block.guard_subject for block in blocks}) == 1


def test_only_an_address_has_variants() -> None:
    """A domain with variants is refused when the rules are read."""
    with pytest.raises(ValidationError, match="a domain has no variants"):
        BlockSender(pattern="x.test", kind=PatternKind.DOMAIN, variants=True)


def test_descriptions_hold_no_values_from_mail() -> None:
    """Only the full description, which approvers see, names patterns and search terms."""
    action = BulkMove(destination=Destination.JUNK, sender="a@x.test", subject="pay")
    assert "a@x.test" not in action.describe()
    assert "from a@x.test, subject 'pay'" in action.describe_in_full()
    assert "a@x" not in BLOCK.describe()
    assert "a@x" in BLOCK.describe_in_full()


@pytest.mark.parametrize("model", CONTAINMENT)
def test_every_action_is_carried_out_by_a_step(model: type[ContainmentAction]) -> None:
    """The dispatch table of containment is complete."""
    assert model in STEPS


@pytest.mark.parametrize("name", list(ACTIONS))
def test_every_action_names_operations_of_the_client(name: str) -> None:
    """The documentation of the API is made from them."""
    assert {operation.name for operation in OPERATIONS} >= set(ACTIONS[name].operations)
