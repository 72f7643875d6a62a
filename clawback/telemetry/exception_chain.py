"""Exceptions as loggers get them, and what they came from."""

import sys
from collections.abc import Iterator


def exception_of(exc_info: object) -> BaseException | None:
    """Return the exception of an `exc_info`: itself, in a tuple, or the current one for True."""
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
        case _:
            return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, then what it came from, as Python shows them. Causes can form a circle."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
