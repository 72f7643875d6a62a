"""The base of every model that travels through Temporal.

Payloads ignore unknown keys, and new fields have defaults, so that one release can read what
another wrote. Rule documents and settings have a stricter base, wire shapes a more lenient one.
"""

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """A frozen value that a workflow, an activity or a signal may carry."""

    model_config = ConfigDict(frozen=True, extra="ignore")
