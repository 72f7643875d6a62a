"""Side effects: call the port, translate the error, return the result. No decisions.

One activity class a file; `ACTIVITIES` lists every activity by the task queue that it runs on.
Change this room when something new is asked of a system outside.
"""

from collections.abc import Callable, Mapping
from typing import Any

from temporalio import activity, workflow

from clawback.temporal import names

ACTIVITIES: dict[str, tuple[Callable[..., Any], ...]] = {}

# Workflow files import the modules of the activities that they call; in the sandbox, this package
# must not import all the others for every run.
if not workflow.unsafe.in_sandbox():
    from activities.audit import AuditActivities
    from activities.containment import ContainmentActivities
    from activities.correlation import CorrelationActivities
    from activities.guard import GuardActivities
    from activities.identity import IdentityActivities
    from activities.ingest import IngestActivities
    from activities.notifications import NotificationActivities
    from activities.parts import PartActivities
    from activities.policies import PolicyActivities
    from activities.pollers import PollerActivities
    from activities.reconciliation import ReconciliationActivities
    from activities.reserved_moves import ReservedMoveActivities
    from activities.set_aside import SetAsideActivities
    from activities.undo import UndoActivities

    ACTIVITIES |= {
        names.WORKFLOW_QUEUE: (
            AuditActivities.append_records,
            IdentityActivities.verify_order,
            NotificationActivities.find_route,
        ),
        names.GUARD_QUEUE: (
            GuardActivities.reserve,
            ReservedMoveActivities.reserve_and_move,
            GuardActivities.read_past,
            AuditActivities.append_records,
            IdentityActivities.verify_order,
        ),
        names.CONTAIN_QUEUE: (
            ContainmentActivities.move_messages,
            ContainmentActivities.release_messages,
            PolicyActivities.create_policy,
            PolicyActivities.claim_policy,
        ),
        names.RECLASSIFY_QUEUE: (ContainmentActivities.reclassify_message,),
        # The kill switch closes the containment queues only. What verifies, expires or undoes must
        # go on, so it runs beside reading.
        names.READ_QUEUE: (
            IngestActivities.find_reader,
            CorrelationActivities.deliver_matches,
            ContainmentActivities.locate_messages,
            ContainmentActivities.find_release,
            ContainmentActivities.search_messages,
            ContainmentActivities.find_submission,
            PolicyActivities.find_policy,
            PolicyActivities.extend_policy,
            PolicyActivities.remove_policy,
            PolicyActivities.remove_policies,
            ReconciliationActivities.reconcile_policies,
            UndoActivities.assess_cases,
            UndoActivities.end_case,
            UndoActivities.read_case,
            UndoActivities.return_messages,
            UndoActivities.reclassify_message,
            PollerActivities.start_pollers,
            SetAsideActivities.deliver,
            PartActivities.forward_matches,
            PartActivities.read_lost_case,
        ),
        names.WORKER_QUEUE: (IngestActivities.read_page, IngestActivities.watch_page),
        names.NOTIFICATION_QUEUE: (
            NotificationActivities.deliver,
            NotificationActivities.find_listeners,
            NotificationActivities.put_off,
            NotificationActivities.deliver_digest,
            NotificationActivities.is_unanswered,
        ),
    }


def bind_activities(queue: str, instances: Mapping[type[Any], object]) -> list[Callable[..., Any]]:
    """Return the activities of a queue, bound to the instances of their classes."""
    by_class_name = {kind.__name__: instance for kind, instance in instances.items()}
    bound: list[Callable[..., Any]] = []
    for function in ACTIVITIES[queue]:
        class_name, _, method = function.__qualname__.partition(".")
        bound.append(getattr(by_class_name[class_name], method))
    return bound


def activity_types() -> set[str]:
    """Name every activity as Temporal does."""
    functions = {function for queue in ACTIVITIES.values() for function in queue}
    # The SDK has no public way to ask for the name.
    return {str(activity._Definition.must_from_callable(one).name) for one in functions}  # noqa: SLF001


__all__ = ["ACTIVITIES", "activity_types", "bind_activities"]
