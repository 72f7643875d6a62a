"""Reads the query of a page. An unknown parameter is an error: no filter is lost silently."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from starlette.requests import Request

from clawback.console.errors import BadRequest
from clawback.model.suggestions import nearest

E = TypeVar("E", bound=StrEnum)
_LONGEST = 1_000


def read_query(
    request: Request, known: frozenset[str], repeatable: frozenset[str] = frozenset()
) -> Mapping[str, str]:
    """Return the parameters of a URL, each once and not empty.

    Those that are `repeatable` may be there, and are not in the result.

    Raises:
        BadRequest: a parameter is unknown, repeated or too long.

    """
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in repeatable:
            continue
        if name not in known:
            every = known | repeatable
            near = nearest(name, every)
            hint = f"did you mean `{near}`?" if near else f"known are {', '.join(sorted(every))}"
            raise BadRequest(f"unknown parameter `{name[:50]}`; {hint}")
        if name in found:
            raise BadRequest(f"the parameter `{name}` is there twice; give it once")
        if len(value) > _LONGEST:
            raise BadRequest(f"the parameter `{name}` is longer than {_LONGEST:,} characters")
        found[name] = value.strip()
    return {name: value for name, value in found.items() if value}


def read_choice(query: Mapping[str, str], name: str, kind: type[E]) -> E | None:
    """Read a parameter that has one of a few values; None without it.

    Raises:
        BadRequest: it has another value.

    """
    if (value := query.get(name)) is None:
        return None
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(kind)
        raise BadRequest(f"{name}: `{value[:50]}` is none of {choices}") from None
