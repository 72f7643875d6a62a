"""The regular expression of durations up to a bound, for JSON Schemas.

It accepts exactly what `clawback.model.durations` accepts, so that an editor and the loader agree.
"""

from collections.abc import Sequence
from datetime import timedelta

_SIZES = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_MOST = {"d": 6, "h": 23, "m": 59, "s": 59}
"""The largest number of a unit after a larger one."""

Units = Sequence[tuple[str, int]]


def duration_pattern(
    longest: timedelta, *, allows_zero: bool = False, is_single: bool = False
) -> str:
    """Write the expression of durations up to a bound; `is_single`: of one number and unit."""
    bound = int(longest.total_seconds())
    leading = [
        _leading(unit, bound // size, bound % size, () if is_single else _SIZES[index + 1 :])
        for index, (unit, size) in enumerate(_SIZES)
        if bound >= size
    ]
    zero = "" if allows_zero else "(?!(?:0[wdhms])+$)"
    return f"^{zero}(?:{'|'.join(leading)})$"


def _leading(unit: str, count: int, rest: int, smaller: Units) -> str:
    """Durations that begin with a unit: fewer of it and anything, or as many and no more."""
    if not smaller:
        return f"{_numbers_to(count)}{unit}"
    fewer = f"{_numbers_to(count - 1)}{unit}{_any(smaller)}"
    return f"{fewer}|{count}{unit}{_up_to(smaller, rest)}"


def _any(units: Units) -> str:
    return "".join(f"(?:{_numbers_to(_MOST[unit])}{unit})?" for unit, _ in units)


def _up_to(units: Units, bound: int) -> str:
    """The further parts of a duration that together are not more than a bound."""
    if not units:
        return ""

    (unit, size), smaller = units[0], units[1:]
    count, rest = divmod(bound, size)
    if not count:
        return f"(?:0{unit})?{_up_to(smaller, rest)}"
    fewer = f"(?:{_numbers_to(count - 1)}{unit})?{_any(smaller)}"
    return f"(?:{fewer}|{count}{unit}{_up_to(smaller, rest)})"


def _numbers_to(most: int) -> str:
    """Whole numbers from 0, without leading zeros."""
    digits = str(most)
    if len(digits) == 1:
        return f"[0-{most}]" if most else "0"

    found = ["[0-9]"] if not digits[2:] else [f"(?:0|[1-9]{_digits(0, len(digits) - 2)})"]
    for index, digit in enumerate(digits):
        least, free = int(not index), len(digits) - index - 1
        # What only nines follow may be any number up to here.
        is_last = digits[index + 1 :] == "9" * free
        most_here = int(digit) if is_last else int(digit) - 1
        if most_here >= least:
            found.append(f"{digits[:index]}{_range(least, most_here)}{_digits(free, free)}")
        if is_last:
            break
    return f"(?:{'|'.join(found)})"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"[{first}-{last}]"


def _digits(least: int, most: int) -> str:
    if least == most:
        return {0: "", 1: "[0-9]"}.get(most, f"[0-9]{{{most}}}")
    return f"[0-9]{{{least},{most}}}"
