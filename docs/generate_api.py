"""Writes the table of docs/api.md from the code.

Method, action or command, simulator, permission, tests. `make docs` runs it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from starlette.routing import Route

from clawback.actions import ACTIONS
from clawback.cloudflare.catalogue import OPERATIONS, Operation
from clawback.cloudflare.recovery import recovery_of
from clawback.simulator import Simulator
from tests.cloudflare.test_recorded import CASES, load

PAGE = Path(__file__).parent / "api.md"
_PARAMETER = re.compile(r"\{\w+\}")

TESTS: dict[str, str] = {
    "messages": "contract/test_client_on_simulator.py::test_messages_are_found_read_and_moved",
    "message": "contract/test_client_on_simulator.py::test_messages_are_found_read_and_moved",
    "detections": "contract/test_client_on_simulator.py::test_messages_are_found_read_and_moved",
    "action_log": "contract/test_client_on_simulator.py::test_messages_are_found_read_and_moved",
    "preview": "contract/test_life_cycles.py::test_a_message_can_be_looked_into",
    "make_preview": "contract/test_life_cycles.py::test_a_message_can_be_looked_into",
    "raw": "contract/test_life_cycles.py::test_a_message_can_be_looked_into",
    "trace": "contract/test_life_cycles.py::test_a_message_can_be_looked_into",
    "move": "contract/test_client_on_simulator.py::test_messages_are_found_read_and_moved",
    "move_one": "contract/test_lost_answers.py::test_a_lost_answer_is_one_effect_and_is_found",
    "reclassify": "contract/test_client_on_simulator.py::test_a_reclassification_becomes_a_submission",
    "release": "contract/test_client_on_simulator.py::test_a_release_reaches_a_server_of_any_age",
    "jobs": "contract/test_life_cycles.py::test_a_bulk_job_is_found_again_by_its_comment",
    "move_all": "contract/test_life_cycles.py::test_a_bulk_job_is_found_again_by_its_comment",
    "release_all": "contract/test_lost_answers.py::test_a_lost_answer_is_one_effect_and_is_found",
    "job": "contract/test_life_cycles.py::test_a_bulk_job_is_found_again_by_its_comment",
    "job_messages": "contract/test_life_cycles.py::test_a_bulk_job_is_found_again_by_its_comment",
    "cancel_job": "cloudflare/test_operations.py::test_a_cancelled_job_may_be_cancelled_again",
    "delete_job": "contract/test_life_cycles.py::test_a_bulk_job_is_found_again_by_its_comment",
    "phishguard_reports": "contract/test_client_on_simulator.py::test_reports_are_read_once_even_where_pages_are_ignored",
    "submissions": "contract/test_life_cycles.py::test_a_submission_by_alert_id_is_found_in_the_list",
    "submit": "contract/test_life_cycles.py::test_a_submission_by_alert_id_is_found_in_the_list",
}
"""The test that uses an operation for what it is for, on the simulator."""
BY_VERB: dict[str, str] = {
    **dict.fromkeys(
        ("list", "get", "create", "edit", "delete"),
        "contract/test_life_cycles.py::test_a_policy_lives_and_dies",
    ),
    "batch": "contract/test_lost_answers.py::test_a_batch_is_found_by_all_that_it_changes",
    "replace": "contract/test_life_cycles.py::test_a_domain_is_replaced_and_proved",
    "verification": "contract/test_life_cycles.py::test_a_domain_is_replaced_and_proved",
}
"""The same for policies, whose operations are tested for every kind at once."""


def proof_of(operation: Operation) -> str:
    """The test of an operation, below tests/."""
    return TESTS.get(operation.name) or BY_VERB[operation.command[1]]


def _rows() -> Iterator[str]:
    columns = (
        "Operation",
        "Client",
        "Action or command",
        "Simulator",
        "Permission",
        "After a lost answer",
        "Recorded answers",
        "Test",
    )
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    served = _served()
    for operation in OPERATIONS:
        cells = (
            f"{operation.method} `{operation.endpoint}`",
            ", ".join(f"`{name}`" for name in (operation.name, *operation.aliases)),
            ", ".join([*_actions(operation), f"`api {' '.join(operation.command)}`"]),
            f"`{served[operation.method, operation.endpoint]}`",
            operation.permission,
            _recovery(operation),
            ", ".join(_recorded(operation)),
            f"`{proof_of(operation)}`",
        )
        yield "| " + " | ".join(cells) + " |"


def _actions(operation: Operation) -> Iterator[str]:
    yield from (
        f"**{name}**"
        for name, action in ACTIONS.items()
        if operation.name in getattr(action, "operations", ())
    )


def _served() -> dict[tuple[str, str], str]:
    """What in the simulator answers each request."""
    found: dict[tuple[str, str], str] = {}
    for route in Simulator().routes:
        if isinstance(route, Route):
            path = _PARAMETER.sub("{id}", route.path.partition("/email-security/")[2])
            for method in route.methods or ():
                found.setdefault((method, path), route.endpoint.__qualname__)
    return found


def _recovery(operation: Operation) -> str:
    recovery = recovery_of(operation)
    return "repeat" if recovery is None else f"look at {recovery.source}"


def _recorded(operation: Operation) -> Iterator[str]:
    names = {operation.name, *operation.aliases}
    yield from (case for case in CASES if load(case, "answer.json")["call"]["method"] in names)
    if operation.name.startswith("settings.") and operation.command[1] != "verification":
        yield "policies.json"


TABLES = {"operations": _rows}
