"""The case as a state machine: every promise that does not need a clock, a server or the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import Action, BlockSender, Move, Reclassify
from clawback.actions.outcomes import MOVED
from clawback.cases import (
    ActionStep,
    AppliedAction,
    Case,
    CasePlan,
    CaseStart,
    CaseState,
    CaseTiming,
    CloseStep,
    Decision,
    Match,
    NotHeld,
    WaitStep,
)
from clawback.cases.hold_cause import HoldCause
from clawback.model.addresses import PatternKind
from clawback.model.audit_record import RecordKind
from clawback.model.messages import MAX_MESSAGES_PER_REQUEST, Destination, Disposition, Target
from clawback.model.mode import Mode
from clawback.model.providers import Provider
from clawback.model.size import PAYLOAD_LIMIT
from tests.people import person

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
MOVE = Move(destination=Destination.JUNK)


def plan(**changes: Any) -> CasePlan:
    """Build the plan of an enforcing rule that moves."""
    return CasePlan(
        **{
            "rule": "r",
            "version": "v1",
            "mode": Mode.ENFORCE,
            "group": {"edf_hash": "x"},
            "actions": (MOVE,),
            **changes,
        }
    )


def opened(**changes: Any) -> Case:
    """Open a case."""
    return Case.open(plan(**changes), CaseTiming(), "case/r/1/run", NOW)


def match(number: int, **changes: Any) -> Match:
    """Build a match of one message."""
    target = Target(id=f"m{number}", at=NOW)
    return Match(
        **{"key": f"message/m{number}", "at": NOW, "seen_at": NOW, "targets": (target,), **changes}
    )


def acts(case: Case, now: datetime = NOW) -> ActionStep:
    """Expect work."""
    step = case.next(now)
    assert isinstance(step, ActionStep)
    return step


def done(case: Case, act: ActionStep, outcome: str = MOVED) -> None:
    """Carry an act out."""
    case.end_step(act, dict.fromkeys(act.subjects, outcome), NOW)


def kinds(case: Case) -> list[RecordKind]:
    """Take the kinds of the records made so far."""
    return [record.kind for record in case.take_records()]


def test_all_waiting_messages_go_into_one_act() -> None:
    """A campaign costs one request, not one a message."""
    case = opened()
    for number in range(5):
        case.add_match(match(number), NOW)
    assert [target.id for target in acts(case).targets] == ["m0", "m1", "m2", "m3", "m4"]


@pytest.mark.parametrize(
    "action",
    [BlockSender(pattern="x.test", kind=PatternKind.DOMAIN), Move(destination=Destination.PURGES)],
)
def test_a_widening_act_waits_for_people_even_when_the_rule_enforces(action: Action) -> None:
    """What may hit more than was meant, or cannot be taken back, is asked for first.

    Then it is done.
    """
    case = opened(actions=(action,))
    case.add_match(match(1), NOW)
    assert isinstance(case.next(NOW), WaitStep)
    assert case.state is CaseState.HELD
    case.decide(Decision(approved=True, actor=person("ana"), at=NOW))
    assert (isinstance(case.next(NOW), WaitStep), case.state) == (True, CaseState.HELD)
    assert "another person" in (
        case.approval_problem(person(" ANA").identity, case.proposal().digest) or ""
    )
    case.decide(Decision(approved=True, actor=person("bob"), at=NOW))
    assert (acts(case).action, acts(case).approved) == (action, True)


def test_an_act_never_holds_more_than_the_api_takes() -> None:
    """1,001 messages are two acts, if a case has room for them."""
    case = Case.open(plan(), CaseTiming(), "case/r/1/run", NOW, limit=PAYLOAD_LIMIT)
    for number in range(MAX_MESSAGES_PER_REQUEST + 1):
        case.add_match(match(number), NOW)
    first = acts(case)
    done(case, first)
    assert (len(first.targets), len(acts(case).targets)) == (MAX_MESSAGES_PER_REQUEST, 1)


def test_an_event_is_taken_once() -> None:
    """A record that is read again changes nothing."""
    case = opened()
    assert case.add_match(match(1), NOW)
    done(case, acts(case))
    assert not case.add_match(match(1), LATER)
    assert isinstance(case.next(LATER), WaitStep)


def test_late_arrivals_join_the_settled_case() -> None:
    """A message of the same campaign is moved by the open case, alone."""
    case = opened()
    case.add_match(match(1), NOW)
    done(case, acts(case))
    assert case.next(NOW) == WaitStep(until=NOW + CaseTiming().linger)
    case.add_match(match(2), LATER)
    assert [target.id for target in acts(case, LATER).targets] == ["m2"]


def test_a_settled_case_closes_after_its_linger() -> None:
    """It stays open for as long as the feed can deliver again, and no longer."""
    case = opened()
    case.add_match(match(1), NOW)
    done(case, acts(case))
    assert case.next(NOW + CaseTiming().linger) == CloseStep(state=CaseState.CLOSED)


def test_an_event_that_comes_while_the_case_closes_reopens_it() -> None:
    """A signal between the last step and the completion is not lost."""
    case = opened()
    case.add_match(match(1), NOW)
    done(case, acts(case))
    end = NOW + CaseTiming().linger
    assert isinstance(case.next(end), CloseStep)
    case.add_match(match(2), end)
    assert [target.id for target in acts(case, end).targets] == ["m2"]


def test_a_message_somebody_has_dealt_with_costs_no_request() -> None:
    """It is `already_there`, a success."""
    case = opened()
    case.add_match(match(1, handled=True), NOW)
    assert isinstance(case.next(NOW), WaitStep)
    assert [
        record.outcome for record in case.take_records() if record.kind is RecordKind.ACTED
    ] == ["already_there"]


def test_an_event_without_a_message_is_recorded_as_failed() -> None:
    """A report that cannot be joined does not vanish."""
    case = opened()
    case.add_match(match(1, targets=()), NOW)
    case.next(NOW)
    assert [
        record.outcome for record in case.take_records() if record.kind is RecordKind.ACTED
    ] == ["failed:no_message"]


@pytest.mark.parametrize(
    ("pattern", "outcome"),
    [("shein-survey-free", "failed:not_an_address"), ("", "failed:no_pattern")],
)
def test_a_sender_that_cannot_be_a_pattern_is_a_recorded_failure(
    pattern: str, outcome: str
) -> None:
    """No request is spent on what the API must refuse."""
    case = opened(actions=(BlockSender(pattern=pattern),))
    case.add_match(match(1), NOW)
    assert isinstance(case.next(NOW), WaitStep)
    assert outcome in [record.outcome for record in case.take_records()]


def test_what_safety_forbids_is_a_recorded_failure() -> None:
    """A never-block entry stops a block before anybody is asked."""
    case = opened(actions=(BlockSender(pattern="a@gmail.com"),), refusals={0: "never_block"})
    case.add_match(match(1), NOW)
    assert isinstance(case.next(NOW), WaitStep)
    assert "failed:never_block" in [record.outcome for record in case.take_records()]


def test_actions_are_done_in_order_and_case_actions_once() -> None:
    """Move each message, reclassify one for all of them."""
    case = opened(actions=(MOVE, Reclassify(disposition=Disposition.MALICIOUS)))
    case.add_match(match(1), NOW)
    case.add_match(match(2), NOW)
    first = acts(case)
    done(case, first)
    second = acts(case)
    done(case, second, "reclassified")
    assert (first.action.name, second.action.name, len(second.targets)) == ("move", "reclassify", 1)
    case.add_match(match(3), LATER)
    third = acts(case, LATER)
    done(case, third)
    assert (third.action.name, isinstance(case.next(LATER), WaitStep)) == ("move", True)


def test_shadow_records_everything_and_asks_for_nothing() -> None:
    """The complete case, with no act at all."""
    case = opened(mode=Mode.SHADOW, actions=(MOVE, BlockSender(pattern="a@x.test")))
    case.add_match(match(1), NOW)
    assert isinstance(case.next(NOW), WaitStep)
    assert kinds(case).count(RecordKind.WOULD_HAVE_ACTED) == 2


def test_a_case_says_which_window_opened_it() -> None:
    """The first line of the timeline describes the correlation window."""
    case = Case.open(plan(), CaseTiming(), "case/r/1/run", NOW, window="3 events from then to now")
    (record,) = case.take_records()
    assert (record.kind, record.detail) == (RecordKind.CASE_OPENED, "3 events from then to now")
    assert case.snapshot().timeline[0].detail == "3 events from then to now"


def test_an_event_that_matches_two_rules_joins_once() -> None:
    """A correlation counts both matches; the case has the message once."""
    case = opened()
    assert case.add_match(match(1, rule="a"), NOW)
    assert not case.add_match(match(1, rule="b"), NOW)
    assert [target.id for target in acts(case).targets] == ["m1"]


def test_an_approval_is_asked_for_and_lets_the_case_act() -> None:
    """Held until somebody answers; the answer is recorded with its author."""
    case = opened(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    assert case.next(NOW) == WaitStep(
        until=NOW + CaseTiming().approval_timeout - CaseTiming().warning
    )
    case.decide(Decision(approved=True, actor=person("ana"), at=LATER))
    assert len(acts(case, LATER).targets) == 1
    assert [
        record.actor for record in case.take_records() if record.kind is RecordKind.APPROVED
    ] == ["ana"]


def test_an_approval_is_bound_to_what_was_shown() -> None:
    """A case that has grown since it was shown refuses, and says by how much.

    What it shows now can be approved.
    """
    case = opened(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    case.next(NOW)
    shown = case.propose(NOW)
    assert shown is not None
    assert (
        shown.messages,
        shown.needs,
        case.approval_problem(person("ana").identity, shown.digest),
    ) == (
        ("m1",),
        1,
        None,
    )
    case.add_match(match(2), NOW)
    assert "1 message more (m2)" in (
        case.approval_problem(person("ana").identity, shown.digest) or ""
    )
    assert "name what you approve" in (case.approval_problem(person("ana").identity, "") or "")
    assert case.approval_problem(person("ana").identity, case.proposal().digest) is None


def test_an_approval_is_bound_to_the_rule_and_its_actions() -> None:
    """The same messages under another rule version or with another action have another digest."""
    digests = set()
    for of in (
        plan(mode=Mode.APPROVE),
        plan(mode=Mode.APPROVE, version="other"),
        plan(mode=Mode.APPROVE, actions=(Move(destination=Destination.DELETED),)),
    ):
        case = Case.open(of, CaseTiming(), "uid", NOW)
        case.add_match(match(1), NOW)
        digests.add(case.proposal().digest)
    assert len(digests) == 3


def test_people_are_warned_once_before_their_time_is_up() -> None:
    """A day before silence becomes a denial it is recorded, and not again."""
    case = opened(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    warned_at = NOW + CaseTiming().approval_timeout - CaseTiming().warning
    assert (
        case.next(NOW) == case.next(warned_at - timedelta(seconds=1)) == WaitStep(until=warned_at)
    )
    assert (
        case.next(warned_at)
        == case.next(warned_at)
        == WaitStep(until=NOW + CaseTiming().approval_timeout)
    )
    assert [record.kind for record in case.take_records()].count(RecordKind.EXPIRY_WARNED) == 1


def test_what_the_guard_refused_is_held_until_people_agree() -> None:
    """The refusal is the reason of the hold.

    An approved act says so, and what arrives later asks the guard anew.
    """
    case = opened()
    case.add_match(match(1), NOW)
    act = acts(case)
    assert not act.approved
    case.refuse(act, "over the budget", HoldCause.CAMPAIGN)
    assert (isinstance(case.next(NOW), WaitStep), case.state) == (True, CaseState.HELD)
    assert [record.detail for record in case.take_records() if record.kind is RecordKind.HELD] == [
        "over the budget"
    ]
    case.decide(Decision(approved=True, actor=person("ana"), at=NOW))
    act = acts(case)
    assert act.approved
    done(case, act)
    case.add_match(match(2), LATER)
    assert not acts(case, LATER).approved


def held_for_a_budget(until: datetime = NOW + timedelta(hours=24), **changes: Any) -> Case:
    """A case that the guard refused for a budget which frees again."""
    case = opened(**changes)
    case.add_match(match(1), NOW)
    case.refuse(acts(case), "over the budget", HoldCause.SHARE, until)
    case.next(NOW)
    case.take_records()
    return case


def test_a_budget_that_frees_lets_a_held_case_go_on() -> None:
    """It stays held until the guard has granted it, and people may decide all the while."""
    case = held_for_a_budget()
    assert case.next(LATER) == WaitStep(until=NOW + timedelta(hours=24))
    case.ask_again(LATER)
    act = acts(case, LATER)
    assert (act.approved, case.state, case.decision_problem()) == (False, CaseState.HELD, None)
    case.start_step(act, LATER)
    assert case.state is CaseState.RESPONDING
    assert [record.kind for record in case.take_records()] == [RecordKind.HOLD_ENDED]
    done(case, act)
    assert case.snapshot().asked == 0


def test_a_case_asks_again_by_itself_in_the_end() -> None:
    """Whoever should have told it may be gone. A refusal changes neither hold nor deadline."""
    until = NOW + timedelta(hours=24)
    case = held_for_a_budget(until)
    act = acts(case, until)
    case.refuse(act, "over another budget", HoldCause.RULE_BUDGET, until + timedelta(hours=24))
    assert case.next(until) == WaitStep(until=until + timedelta(hours=24))
    assert not case.take_records()
    assert (case.asked, case.held_since) == (1, NOW)
    expired = NOW + CaseTiming().approval_timeout
    case.refuse(act, "over it still", HoldCause.SHARE, expired + timedelta(hours=1))
    case.next(expired)
    assert RecordKind.EXPIRED in [record.kind for record in case.take_records()]


@pytest.mark.parametrize("cause", [HoldCause.DEMOTED, HoldCause.CHANGED, HoldCause.CAMPAIGN])
def test_no_other_hold_is_lifted_by_a_budget(cause: HoldCause) -> None:
    """The guard says that such a case must not ask again, whatever it is told."""
    case = held_for_a_budget()
    case.ask_again(LATER)
    case.refuse(acts(case, LATER), "something else by now", cause, None)
    case.ask_again(LATER)
    assert isinstance(case.next(LATER), WaitStep)


def test_a_rule_that_asks_people_first_is_not_asked_by_the_guard() -> None:
    """Its refusal came for a step that people have to approve by now."""
    case = opened(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    case.next(NOW)
    assert case.snapshot().hold_cause is HoldCause.APPROVAL
    case.ask_again(LATER)
    assert isinstance(case.next(LATER), WaitStep)


@pytest.mark.parametrize("approved", [True, False])
def test_a_decision_counts_while_the_guard_is_asked(approved: bool) -> None:  # noqa: FBT001 - pytest
    """Whatever the guard says then: an approved step goes on, a denied one is not begun."""
    case = held_for_a_budget()
    case.ask_again(LATER)
    act = acts(case, LATER)
    case.decide(Decision(approved=approved, actor=person("ana"), at=LATER))
    case.refuse(act, "no room after all", HoldCause.SHARE, LATER + timedelta(hours=1))
    step = case.next(LATER)
    assert isinstance(step, ActionStep) == approved
    assert case.state is (CaseState.RESPONDING if approved else CaseState.DENIED)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_reclassification_never_holds_a_move(is_first: bool) -> None:  # noqa: FBT001 - pytest
    """Neither by its place in the rule, nor when the guard refuses it: later mail is moved."""
    reclassify = Reclassify(disposition=Disposition.MALICIOUS)
    case = opened(actions=(reclassify, MOVE) if is_first else (MOVE, reclassify))
    case.add_match(match(1), NOW)
    step = acts(case)
    assert step.action == MOVE
    case.start_step(step, NOW)
    done(case, step)
    step = acts(case)
    assert step.action == reclassify
    case.refuse(step, "over the budget", HoldCause.SHARE, NOW + timedelta(hours=24))
    case.next(NOW)
    assert case.state is CaseState.HELD
    held_since = case.held_since
    case.take_records()

    case.add_match(match(2), LATER)
    step = acts(case, LATER)
    assert (step.action, step.subjects) == (MOVE, ("m2",))
    case.start_step(step, LATER)
    done(case, step)
    assert isinstance(case.next(LATER), WaitStep)
    assert (case.state, case.held_since) == (CaseState.HELD, held_since)
    kinds = {record.kind for record in case.take_records()}
    assert not kinds & {RecordKind.HELD, RecordKind.HOLD_ENDED}
    case.ask_again(LATER)
    case.start_step(step := acts(case, LATER), LATER)
    assert (step.action, case.state) == (reclassify, CaseState.RESPONDING)


def test_mail_to_protected_people_goes_first_and_alone() -> None:
    """A budget that has no room for their campaign must not hold theirs; people approve all."""
    case = opened()
    for number in range(4):
        targets = (Target(id=f"m{number}", at=NOW, protected=number == 2),)
        case.add_match(match(number, targets=targets), NOW)
    assert len(case.proposal().messages) == 4
    step = acts(case)
    assert step.subjects == ("m2",)
    done(case, step)
    rest = acts(case)
    assert rest.subjects == ("m0", "m1", "m3")
    case.refuse(rest, "over the budget", HoldCause.SHARE, NOW + timedelta(hours=24))
    case.next(NOW)
    assert case.state is CaseState.HELD

    late = Target(id="m9", at=NOW, protected=True)
    case.add_match(match(9, targets=(late,)), LATER)
    step = acts(case, LATER)
    assert (step.subjects, case.state) == (("m9",), CaseState.HELD)
    case.refuse(step, "the reserve is used up", HoldCause.SHARE, NOW + timedelta(hours=24))
    assert isinstance(case.next(LATER), WaitStep)


def test_each_provider_gets_a_request_for_a_folder_that_it_has() -> None:
    """Messages of one folder go together; people and audit see which folder was asked for."""
    case = opened(actions=(Move(destination=Destination.RECOVERABLE),), mode=Mode.APPROVE)
    for number in range(5):
        provider = Provider.GOOGLE if number % 2 else None
        targets = (Target(id=f"m{number}", at=NOW, provider=provider),)
        case.add_match(match(number, targets=targets), NOW)
    case.next(NOW)

    proposal = case.proposal()
    (action,) = proposal.actions
    assert action.startswith("move to RecoverableItemsDeletions (DeletedItems for 2 messages: ")
    case.decide(Decision(approved=True, actor=person("ana"), at=NOW))
    asked = []
    for _ in range(2):
        done(case, step := acts(case))
        asked.append(step.subjects)
    assert asked == [("m0", "m2", "m4"), ("m1", "m3")]
    moved = [one for one in case.take_records() if one.outcome == MOVED]
    assert {one.target: one.after for one in moved} == {
        "m0": "RecoverableItemsDeletions",
        "m1": "DeletedItems",
        "m2": "RecoverableItemsDeletions",
        "m3": "DeletedItems",
        "m4": "RecoverableItemsDeletions",
    }


def test_what_took_effect_is_kept_for_undo_and_counted() -> None:
    """Moved and unknown messages are listed with their time.

    Failed ones are not; an approval starts the count anew.
    """
    case = opened()
    for number in range(3):
        case.add_match(match(number), NOW)
    act = acts(case)
    case.start_step(act, NOW)
    assert case.snapshot().in_progress == (act,)
    case.end_step(act, {"m0": "moved", "m1": "unknown", "m2": "failed:x"}, LATER)
    assert case.snapshot().applied == (AppliedAction(index=0, at=LATER, subjects=("m0", "m1")),)
    assert (case.snapshot().in_progress, case.actions.spent) == ((), 2)


def test_records_say_what_was_changed() -> None:
    """From which verdict to which, and to which folder; what took no effect changed nothing."""
    case = opened(actions=(MOVE, Reclassify(disposition=Disposition.MALICIOUS)))
    target = Target(id="m1", at=NOW, verdict="SUSPICIOUS")
    case.add_match(match(1, targets=(target,)), NOW)
    case.add_match(match(2), NOW)
    act = acts(case)
    case.end_step(act, {"m1": "moved", "m2": "failed:x"}, NOW)
    done(case, acts(case), "reclassified")
    changed = [
        (one.target, one.before, one.after)
        for one in case.take_records()
        if one.kind is RecordKind.ACTED
    ]
    assert changed == [
        ("m1", None, "JunkEmail"),
        ("m2", None, None),
        ("m1", "SUSPICIOUS", "MALICIOUS"),
    ]


def test_an_undone_case_refuses_whatever_is_left() -> None:
    """It ends at once; what was still to be done, and what comes too late, has one outcome each."""
    case = opened()
    case.add_match(match(1), NOW)
    case.undo(person("ana"), "wrong", NOW)
    assert case.next(NOW) == CloseStep(state=CaseState.UNDONE)
    case.add_match(match(2), NOW)
    assert case.next(NOW) == CloseStep(state=CaseState.UNDONE)
    assert case.snapshot().outcomes == ({"m1": "failed:undone", "m2": "failed:undone"},)


def test_what_arrives_after_an_approval_is_asked_for_again() -> None:
    """An approval covers what was there when it was given."""
    case = opened(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    case.next(NOW)
    case.decide(Decision(approved=True, actor=person("ana"), at=LATER))
    done(case, acts(case, LATER))
    case.add_match(match(2), LATER)
    assert (isinstance(case.next(LATER), WaitStep), case.state) == (True, CaseState.HELD)


def test_a_denial_refuses_late_arrivals_too() -> None:
    """A denied campaign is not asked about again while its case is open."""
    case = opened(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    case.next(NOW)
    case.decide(Decision(approved=False, actor=person("ana"), at=NOW))
    case.add_match(match(2), LATER)
    assert isinstance(case.next(LATER), WaitStep)
    assert case.snapshot().outcomes == ({"m1": "failed:denied", "m2": "failed:denied"},)
    assert case.next(LATER + CaseTiming().linger) == CloseStep(state=CaseState.DENIED)


def test_only_a_held_case_can_be_answered() -> None:
    """The second answer is told where the case stands."""
    case = opened(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    case.next(NOW)
    case.decide(Decision(approved=True, actor=person("ana"), at=NOW))
    with pytest.raises(NotHeld, match="approved by ana"):
        case.decide(Decision(approved=False, actor=person("bob"), at=NOW))


def test_silence_expires_to_deny() -> None:
    """Nobody answered for seven days: nothing is done."""
    case = opened(mode=Mode.APPROVE)
    case.add_match(match(1), NOW)
    case.next(NOW)
    assert case.next(NOW + CaseTiming().approval_timeout) == CloseStep(state=CaseState.EXPIRED)
    assert case.snapshot().outcomes == ({"m1": "failed:expired"},)


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.booleans()), max_size=40))
def test_a_carried_over_case_goes_on_as_if_nothing_had_happened(
    arrivals: list[tuple[int, bool, bool]],
) -> None:
    """Every event ends in one outcome, in any order of arrival and with any continue-as-new."""
    case = opened()
    ids: list[str] = []
    for number, carry, act in arrivals:
        case.add_match(match(number), NOW)
        if act and isinstance(step := case.next(NOW), ActionStep):
            done(case, step)
        if carry:
            start = CaseStart(plan=plan(), snapshot=case.snapshot())
            ids += [record.id for record in case.take_records()]
            again = CaseStart.model_validate_json(
                start.model_copy(update={"snapshot": case.snapshot()}).model_dump_json()
            )
            assert again.snapshot is not None
            case = Case(again.plan, again.timing, again.snapshot)
    while isinstance(step := case.next(NOW), ActionStep):
        done(case, step)
    ids += [record.id for record in case.take_records()]
    assert case.snapshot().outcomes == ({f"m{number}": MOVED for number, _, _ in arrivals},)
    assert len(ids) == len(set(ids))


@given(
    messages=st.integers(1, 4),
    actions=st.permutations(
        [
            MOVE,
            Reclassify(disposition=Disposition.MALICIOUS),
            BlockSender(pattern="a@bad.test", kind=PatternKind.EMAIL, expires_after="1d"),
        ]
    ),
    mode=st.sampled_from([Mode.ENFORCE, Mode.APPROVE, Mode.SHADOW]),
)
def test_what_follows_a_step_is_what_comes_next_if_it_takes_effect(
    messages: int, actions: list[Action], mode: Mode
) -> None:
    """Asking for it changes nothing."""
    case = opened(actions=tuple(actions), mode=mode)
    for number in range(messages):
        case.add_match(match(number), NOW)
    while isinstance(step := case.next(NOW), ActionStep):
        before = case.snapshot()
        following = case.following(step, NOW)
        assert case.snapshot() == before
        case.end_step(step, dict.fromkeys(step.subjects, MOVED), NOW)
        expected = case.next(NOW)
        assert following == (expected if isinstance(expected, ActionStep) else None)
