"""What evaluates events against conditions.

Clawback's engine, lambdas written by hand, three expression languages; each the same way.

An evaluator says which conditions hold for an event; whatever a peer wants prepared of an event (a
folded view, an activation) is prepared before the clock starts, in the peer's favour. A peer
imports its library when it is compiled: together they take a second, which lists of benches and
tests must not cost.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

from bench.rulesets import (
    CEL,
    RULE_ENGINE,
    Condition,
    Record,
    compiled_lambdas,
    rule_document,
    view_of,
)
from clawback.cloudflare import Message
from clawback.model.events import message_event
from clawback.rules import RuleSet, load_rules

_SEEN = datetime(2026, 11, 22, tzinfo=UTC)
_AT_ONCE = 50


@dataclass(frozen=True)
class Evaluator:
    """`run(prepare(record))` evaluates one event.

    `held` reads from the answer which conditions hold, by number.
    """

    name: str
    run: Callable[[Any], Any]
    prepare: Callable[[Record], Any]
    held: Callable[[Any], list[int]]

    def answers(self, lines: Sequence[str]) -> list[list[int]]:
        """Which conditions hold, for each event."""
        return [self.held(self.run(self.prepare(json.loads(line)))) for line in lines]

    def seconds(self, lines: Sequence[str], budget: float, passes: int) -> float:
        """The mean seconds per event over as many of the events as fit into the budget.

        Events are read afresh, a few at a time, just before they are evaluated, as a worker does
        it; `passes` times for what is quicker than the clock can tell.
        """
        spent, seen = 0.0, 0
        for start in range(0, len(lines), _AT_ONCE):
            prepared = [self.prepare(json.loads(line)) for line in lines[start : start + _AT_ONCE]]
            spent += self._timed(prepared * passes)
            seen += len(prepared) * passes
            if spent >= budget:
                break
        return spent / seen

    def _timed(self, prepared: Sequence[Any]) -> float:
        run = self.run
        started = process_time()
        for one in prepared:
            run(one)
        return process_time() - started


def write_rules(folder: Path, conditions: Sequence[Condition]) -> None:
    """Write a folder of rules, one to a file."""
    (folder / "safety.yml").write_text("{}\n")
    for number, condition in enumerate(conditions):
        path = folder / condition.kind.replace(" ", "_") / f"rule_{number:05d}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(rule_document(condition, number))


def load(conditions: Sequence[Condition]) -> RuleSet:
    """Write the rules and load them as a worker does."""
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        write_rules(Path(folder), conditions)
        return load_rules(Path(folder))


def clawback(conditions: Sequence[Condition]) -> Evaluator:
    """Load the conditions, and evaluate them as a worker does."""
    return engine(load(conditions))


def engine(rules: RuleSet) -> Evaluator:
    """The engine with everything around it: an event goes in, matches come out."""
    return Evaluator(
        "clawback",
        rules.evaluate,
        _event,
        lambda answer: sorted(int(match.plan.rule[-5:]) for match in answer.matches),
    )


def with_plans(rules: RuleSet) -> Evaluator:
    """The engine, and the plan of the case of every match with the id of that case.

    What dispatching asks of a match.
    """

    def run(event: Any) -> Any:
        return [(match.plan.rule, match.plan.case_id) for match in rules.evaluate(event).matches]

    return Evaluator(
        "clawback, with plans",
        run,
        _event,
        lambda answer: sorted(int(rule[-5:]) for rule, _ in answer),
    )


def lambdas(conditions: Sequence[Condition]) -> Evaluator:
    """A loop over lambdas."""
    compiled = compiled_lambdas(conditions)
    return Evaluator(
        "lambdas",
        lambda record: [number for number, holds in enumerate(compiled) if holds(record)],
        _as_it_is,
        list,
    )


def one_lambda(conditions: Sequence[Condition]) -> Evaluator:
    """A single lambda, called without a loop."""
    (holds,) = compiled_lambdas(conditions)
    return Evaluator("lambdas", holds, _as_it_is, lambda answer: [0] if answer else [])


def cel_expr_python(conditions: Sequence[Condition]) -> Evaluator:
    """The C++ implementation of CEL, with typed variables."""
    from cel_expr_python import cel  # noqa: PLC0415 - see above

    texts = dict.fromkeys(
        ("sender", "from_name", "subject", "edf_hash", "final_disposition", "replyto", "dmarc"),
        cel.Type.STRING,
    )
    lists = {"recipients": cel.Type.List(cel.Type.STRING), "scores": cel.Type.List(cel.Type.DOUBLE)}
    env = cel.NewEnv(variables={**texts, **lists, "quarantined": cel.Type.BOOL})
    compiled = [env.compile(condition.peer(CEL)) for condition in conditions]

    def run(activation: Any) -> list[int]:
        return [
            number for number, one in enumerate(compiled) if one.eval(activation).value() is True
        ]

    return Evaluator("cel-expr-python", run, lambda record: env.Activation(view_of(record)), list)


def common_expression(conditions: Sequence[Condition]) -> Evaluator:
    """The Rust implementation of CEL."""
    import cel  # noqa: PLC0415 - see above

    compiled = [cel.compile(condition.peer(CEL)) for condition in conditions]

    def run(context: Any) -> list[int]:
        return [number for number, one in enumerate(compiled) if one.execute(context) is True]

    return Evaluator(
        "common-expression-language",
        run,
        lambda record: cel.Context(view_of(record)),
        list,
    )


def rule_engine_rules(conditions: Sequence[Condition]) -> Evaluator:
    """The rule-engine library."""
    import rule_engine  # noqa: PLC0415 - see above

    context = rule_engine.Context()
    compiled = [
        rule_engine.Rule(condition.peer(RULE_ENGINE), context=context) for condition in conditions
    ]

    def run(view: Any) -> list[int]:
        return [number for number, one in enumerate(compiled) if one.matches(view)]

    return Evaluator("rule-engine", run, view_of, list)


def parsing() -> Evaluator:
    """Not an evaluator at all.

    What it costs to make the event from the API's JSON, for comparison.
    """
    return Evaluator(
        "parsing",
        Message.parse,
        lambda record: {name: value for name, value in record.items() if name != "detections"},
        lambda _: [],
    )


PEERS: Sequence[Callable[[Sequence[Condition]], Evaluator]] = (
    cel_expr_python,
    common_expression,
    rule_engine_rules,
)


def _event(record: Record) -> Any:
    return message_event(record, _SEEN)


def _as_it_is(record: Record) -> Record:
    return record
