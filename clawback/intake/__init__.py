"""From a page of the API to matches: read, join, enrich, evaluate. Knows the client and the rules; nothing of Temporal."""

from clawback.intake.intake import EvaluationBroken, Intake, Rejection, Taken

__all__ = ["EvaluationBroken", "Intake", "Rejection", "Taken"]
