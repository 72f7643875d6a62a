"""From a page of the API to matches: read, join, enrich, evaluate.

Knows the API client and the rules, and nothing of Temporal. Change this room when an event must be
read, joined or dispatched in another way; which events are eligible is in `rules.eligibility`.
"""

from typing import TYPE_CHECKING

from clawback.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from clawback.ingest.ingest import EvaluationBroken, Ingest
    from clawback.ingest.memory import IngestMemory
    from clawback.ingest.result import IngestResult, Rejection
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "EvaluationBroken": "ingest",
            "Ingest": "ingest",
            "IngestMemory": "memory",
            "IngestResult": "result",
            "Rejection": "result",
        },
    )

__all__ = ["EvaluationBroken", "Ingest", "IngestMemory", "IngestResult", "Rejection"]
