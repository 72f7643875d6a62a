"""The clauses that made the first event of a case match, apart from the values of that event.

A reason is `<clause> ← <value>`. The clause is text of the rule, the value may be text from mail.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

ARROW: Final = " ← "
MOST_CLAUSES: Final = 10
_DIGITS: Final = 8


def split_reason(reason: str) -> tuple[str, str]:
    """Divide a reason into its clause and the value that made it true; "" if it names none."""
    # The first arrow: a value from mail may have more of them.
    clause, _, value = reason.partition(ARROW)
    return clause, value


def identify_clause(reason: str) -> str:
    """Return the same 8 hex digits for all reasons with the same clause."""
    clause, _ = split_reason(reason)
    return hashlib.sha256(clause.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def identify_clauses(reasons: Iterable[str]) -> tuple[str, ...]:
    """Identify the clauses of a match, each once."""
    return tuple(dict.fromkeys(map(identify_clause, reasons)))[:MOST_CLAUSES]
