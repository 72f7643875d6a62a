"""What people may expect from past decisions and undos, as pure views."""

from datetime import UTC, datetime, timedelta

from clawback.actions import BlockSender, Move, Reclassify
from clawback.actions.outcomes import GONE, MOVED, failed
from clawback.cases import Limit
from clawback.cases.bulk import HeldCase, HeldSelection
from clawback.cases.clauses import identify_clauses
from clawback.cases.summary import CaseSummary, DecisionNote
from clawback.console.sources.read_model import ListedCase
from clawback.console.views.clause_scores import score_clauses
from clawback.console.views.review import BudgetFacts, describe_budgets
from clawback.console.views.way_back import describe_way_back
from clawback.guard import Budgets, GuardSnapshot
from clawback.model.messages import Destination, Disposition
from clawback.rules.tools.rule_facts import RuleFacts
from clawback.temporal.undo_gateway import UndoSummary

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def decided(what: str, *reasons: str, ago: timedelta = DAY, is_undone: bool = False) -> ListedCase:
    """A case of the rule `r` that people decided."""
    note = DecisionNote(what=what, by=("ana",), at=NOW - ago)
    return ListedCase(
        id="case/r/0",
        run="run",
        rule="r",
        state="settled",
        mode="approve",
        opened_at=NOW - 2 * ago,
        closed_at=None,
        decision=note,
        undone=note if is_undone else None,
        clauses=" ".join(identify_clauses(reasons)),
    )


def test_a_clause_is_scored_by_what_people_decided() -> None:
    """By its text alone, in 30 days; what was taken back later is told apart."""
    every = [
        decided("approved", "a is x ← 1", "b ← 2"),
        decided("approved", "a is x ← 3", is_undone=True),
        decided("denied", "b ← 4"),
        decided("denied", "a is x ← 5", ago=31 * DAY),
    ]
    scores = score_clauses("r", every, NOW)
    assert scores.describe("a is x ← another") == (
        "true in 2 approved (1 of them undone) and 0 denied cases of this rule in 30 days"
    )
    assert scores.describe("b ← 1").startswith("true in 1 approved and 1 denied cases")
    assert scores.describe("c ← 1").startswith("true in 0 approved and 0 denied cases")
    assert score_clauses("another", every, NOW).describe("b ← 1") == ""


def test_the_way_back_has_its_track_record() -> None:
    """Moves of every kind count together; what was never undone promises nothing."""
    outcomes = [("move", MOVED)] * 39 + [("move", GONE), ("move", failed("no_such_folder"))]
    undone = UndoSummary.total((UndoSummary.of(outcomes), UndoSummary.of([("move", MOVED)])))
    assert (undone.cases, undone.done, undone.gone, undone.failed) == (2, 40, 1, 1)

    actions = (
        Move(destination=Destination.JUNK),
        BlockSender(pattern="a@b.test", expires_after=(7 * DAY,)),
        Reclassify(disposition=Disposition.SPAM),
    )
    known = {one.action: one for one in undone.actions}
    move, block, reclassify = describe_way_back(actions, known)
    assert "40 of 42 came back when undone in 30 days (1 no longer existed, 1 failed)." in move
    assert block.startswith("block email for 7d: not undone in 30 days. It ends by itself after 7d")
    assert "It cannot be withdrawn: the opposite reclassification is requested." in reclassify
    assert not any("30 days" in line for line in describe_way_back(actions, None))


def test_a_review_names_the_budget_of_each_rule() -> None:
    """Its own limits, else the common ones; what is unknown is left out."""
    cases = tuple(
        HeldCase(f"case/{rule}/0", {"p": CaseSummary(rule=rule, messages=30)})
        for rule in ("r", "r", "other")
    )
    limit = Limit(messages=50, per=timedelta(hours=1))
    budgets = Budgets(rule=(limit.with_most(500),), overall=(limit.with_most(1_000),))
    rules = RuleFacts(limits={"r": (limit,)}, budgets=budgets)
    selection = HeldSelection(cases)
    lines = list(describe_budgets(BudgetFacts(GuardSnapshot(), budgets, rules), selection, NOW))
    held = "further cases of it are then held"
    assert lines == [
        "Budget of the rule other after this: 30 of 500 messages per 1h (now 0)",
        f"Budget of the rule r after this: 60 of {limit} (now 0); {held}",
        "Budget of all rules after this: 90 of 1,000 messages per 1h (now 0)",
    ]
    unread = list(describe_budgets(BudgetFacts(GuardSnapshot(), budgets, None), selection, NOW))
    assert unread == lines[2:]
    assert not list(describe_budgets(BudgetFacts(None, budgets, rules), selection, NOW))
