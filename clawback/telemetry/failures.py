"""Says of failures in the log what they came from, and which are the same.

`cause` is the first error of a chain, in a few words. `fingerprint` is equal for failures of the
same kind at the same place, whatever mail, case or attempt they are about.
"""

import hashlib
from collections.abc import MutableMapping, Sequence
from types import TracebackType
from typing import Any

from clawback.model.loggable import LoggableText
from clawback.model.texts import bounded
from clawback.telemetry.exception_chain import causes, exception_of
from clawback.telemetry.privacy import error_text

_DIGITS = 12
_LONGEST_CAUSE = 200
_OURS = frozenset({"clawback", "workflows", "activities", "worker"})


def describe_failure(
    _: object, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add `cause` and `fingerprint` to an event about an error; a structlog processor."""
    error = exception_of(event.get("exc_info")) or exception_of(event.get("error"))
    if error is None:
        return event

    chain = list(causes(error))
    event["cause"] = LoggableText(bounded(error_text(chain[-1]), _LONGEST_CAUSE))
    event["fingerprint"] = fingerprint(str(event.get("event")), chain)
    return event


def fingerprint(name: str, chain: Sequence[BaseException]) -> str:
    """Hash what failed, with which types of errors and where: 12 hex digits.

    Line numbers and texts are left out, so that neither a release nor another mail changes it.
    """
    parts = [name, *(f"{type(one).__name__}@{_place(one.__traceback__)}" for one in chain)]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def _place(traceback: TracebackType | None) -> str:
    """Return module and function of our innermost frame, else of the innermost of all."""
    ours, last = "", ""
    while traceback is not None:
        frame = traceback.tb_frame
        module = str(frame.f_globals.get("__name__"))
        last = f"{module}.{frame.f_code.co_qualname}"
        if module.partition(".")[0] in _OURS:
            ours = last
        traceback = traceback.tb_next
    return ours or last
