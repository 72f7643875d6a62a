"""Finds the rules that are true of a record."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from clawback.rules.compiler import Today, compile_node
from clawback.rules.tree import Node

Hit = TypeVar("Hit")


class Engine(Generic[Hit]):
    """Decides many conditions about one record; each condition comes with what is reported when it is true."""

    def __init__(self, rows: Sequence[tuple[Node, Hit]], today: Today) -> None:
        self._rows = [(compile_node(node, today), hit) for node, hit in rows]

    def decide(self, record: Mapping[str, Any]) -> tuple[list[Hit], bool]:
        """Give what is true of the record, and whether anything is still undecided."""
        hits, undecided = [], False
        for predicate, hit in self._rows:
            answer = predicate(record)
            if answer:
                hits.append(hit)
            elif answer is None:
                undecided = True
        return hits, undecided
