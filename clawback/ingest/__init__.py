"""From a page of the API to matches: read, join, enrich, evaluate.

Knows the client and the rules; nothing of Temporal.
"""

from clawback.ingest.ingest import EvaluationBroken, Ingest, IngestResult, Rejection

__all__ = ["EvaluationBroken", "Ingest", "IngestResult", "Rejection"]
