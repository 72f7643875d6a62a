"""From a page of the API to matches: read, join, enrich, evaluate.

Knows the API client and the rules, and nothing of Temporal. Change this room when an event must be
read, joined or dispatched in another way; which events are eligible is in `rules.eligibility`.
"""

from clawback.ingest.ingest import EvaluationBroken, Ingest
from clawback.ingest.memory import IngestMemory
from clawback.ingest.result import IngestResult, Rejection

__all__ = ["EvaluationBroken", "Ingest", "IngestMemory", "IngestResult", "Rejection"]
