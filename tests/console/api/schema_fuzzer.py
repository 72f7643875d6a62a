"""Sends requests as schemathesis makes them for every operation of the OpenAPI document.

Only the test itself imports this module: schemathesis takes a second, in each process of a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from clawback.console.api.openapi import build_document
from clawback.model.identity import Role

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
EXAMPLES = settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


ROLES = (None, *Role)


@dataclass
class Fuzzer:
    """Sends requests for every operation, valid or not, as everybody in turn."""

    url: str
    headers: Mapping[Role | None, dict[str, str]]
    cases: Sequence[str]
    asked: set[tuple[str, Role | None]] = field(default_factory=set)

    def run(self) -> None:
        """Send requests for every operation."""
        schema = schemathesis.openapi.from_dict(build_document())
        for found in schema.exclude(path="/openapi.json").get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            for mode in GenerationMode:
                try:
                    self._send(operation, mode)
                except Unsatisfiable:
                    # There is no wrong request for an operation that takes nothing.
                    assert mode is GenerationMode.NEGATIVE
                except Exception as error:
                    error.add_note(f"{operation.label}, {mode}")
                    raise

    def _send(self, operation: Any, mode: GenerationMode) -> None:
        """Send requests for one operation."""

        @EXAMPLES
        @given(
            case=operation.as_strategy(generation_mode=mode),
            known=st.sampled_from([None, *self.cases]),
            role=st.sampled_from(ROLES),
        )
        def send(case: Any, known: str | None, role: Role | None) -> None:
            if is_known := known is not None and "id" in (case.path_parameters or {}):
                case.path_parameters["id"] = known
            # What was wrong may have been the id.
            checks = CHECKS[:-1] if is_known else CHECKS
            case.call_and_validate(base_url=self.url, headers=self.headers[role], checks=checks)
            self.asked.add((operation.label, role))

        send()
