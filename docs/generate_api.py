"""Generates the table of docs/api.md: every operation with its client method, command and test."""

import re
from collections.abc import Iterator

from starlette.routing import Route

from clawback.actions import ACTIONS
from clawback.cloudflare.operation_catalogue import OPERATIONS, Operation
from clawback.cloudflare.recovery import recovery_of
from clawback.simulator import Simulator
from docs.tables import Tables, table_head, table_row
from tests.cloudflare.test_recorded import CASES, load

_PARAMETER = re.compile(r"\{\w+\}")

_CLIENT = "contract/test_client_on_simulator.py"
_LIFE_CYCLES = "contract/test_life_cycles.py"
_LOST_ANSWERS = "contract/test_lost_answers.py"

_FOUND_READ_AND_MOVED = f"{_CLIENT}::test_messages_are_found_read_and_moved"
_LOOKED_INTO = f"{_LIFE_CYCLES}::test_the_contents_of_a_message_are_read"
_BULK_JOB = f"{_LIFE_CYCLES}::test_a_bulk_job_is_found_again_by_its_comment"
_LOST_ANSWER = f"{_LOST_ANSWERS}::test_a_lost_answer_is_one_effect_and_is_found"
_SUBMISSION = f"{_LIFE_CYCLES}::test_a_submission_by_alert_id_is_found_in_the_list"
_DOMAIN = f"{_LIFE_CYCLES}::test_a_domain_is_replaced_and_verified"

TESTS: dict[str, str] = {
    "messages": _FOUND_READ_AND_MOVED,
    "message": _FOUND_READ_AND_MOVED,
    "detections": _FOUND_READ_AND_MOVED,
    "action_log": _FOUND_READ_AND_MOVED,
    "preview": _LOOKED_INTO,
    "make_preview": _LOOKED_INTO,
    "raw": _LOOKED_INTO,
    "trace": _LOOKED_INTO,
    "move": _FOUND_READ_AND_MOVED,
    "move_one": _LOST_ANSWER,
    "reclassify": f"{_CLIENT}::test_a_reclassification_becomes_a_submission",
    "release": f"{_CLIENT}::test_a_release_works_with_either_request_body",
    "jobs": _BULK_JOB,
    "move_all": _BULK_JOB,
    "release_all": _LOST_ANSWER,
    "job": _BULK_JOB,
    "job_messages": _BULK_JOB,
    "cancel_job": "cloudflare/test_operations.py::test_a_cancelled_job_may_be_cancelled_again",
    "delete_job": _BULK_JOB,
    "phishguard_reports": f"{_CLIENT}::test_reports_are_read_once_even_where_pages_are_ignored",
    "submissions": _SUBMISSION,
    "submit": _SUBMISSION,
}
"""The test that covers each operation against the simulator."""

TESTS_BY_VERB: dict[str, str] = {
    **dict.fromkeys(
        ("list", "get", "create", "edit", "delete"),
        f"{_LIFE_CYCLES}::test_life_cycle_of_a_policy",
    ),
    "batch": f"{_LOST_ANSWERS}::test_a_batch_is_found_by_all_that_it_changes",
    "replace": _DOMAIN,
    "verification": _DOMAIN,
}
"""The same for policies, where one test covers a verb for every kind of policy."""


def covering_test(operation: Operation) -> str:
    """Return the test that covers an operation, as a path below tests/."""
    return TESTS.get(operation.name) or TESTS_BY_VERB[operation.command[1]]


def _operations() -> Iterator[str]:
    yield from table_head(
        "Operation",
        "Client",
        "Action or command",
        "Simulator",
        "Permission",
        "After a lost response",
        "Recorded responses",
        "Test",
    )
    endpoints = _simulator_endpoints()
    for operation in OPERATIONS:
        yield table_row(
            f"{operation.method} `{operation.endpoint}`",
            ", ".join(f"`{name}`" for name in (operation.name, *operation.aliases)),
            ", ".join([*_actions(operation), f"`api {' '.join(operation.command)}`"]),
            f"`{endpoints[operation.method, operation.endpoint]}`",
            operation.permission,
            _recovery(operation),
            ", ".join(_recordings(operation)),
            f"`{covering_test(operation)}`",
        )


def _actions(operation: Operation) -> Iterator[str]:
    yield from (
        f"**{name}**"
        for name, action in ACTIONS.items()
        if operation.name in getattr(action, "operations", ())
    )


def _simulator_endpoints() -> dict[tuple[str, str], str]:
    """Map each method and path to the simulator's handler."""
    found: dict[tuple[str, str], str] = {}
    for route in Simulator().routes:
        if isinstance(route, Route):
            path = _PARAMETER.sub("{id}", route.path.partition("/email-security/")[2])
            for method in route.methods or ():
                found.setdefault((method, path), route.endpoint.__qualname__)
    return found


def _recovery(operation: Operation) -> str:
    recovery = recovery_of(operation)
    return "retry" if recovery is None else f"check {recovery.source}"


def _recordings(operation: Operation) -> Iterator[str]:
    names = {operation.name, *operation.aliases}
    yield from (case for case in CASES if load(case, "answer.json")["call"]["method"] in names)
    if operation.name.startswith("settings.") and operation.command[1] != "verification":
        yield "policies.json"


TABLES: Tables = {"operations": _operations}
