"""Each workflow type says whether it stays on its build or moves to the current one."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from clawback.temporal import names
from workflows import WORKFLOWS

PINNED = {names.CASE, names.CASE_PART, names.CASE_UNDO, names.UNDO, names.NOTIFICATION}


def test_only_what_ends_soon_stays_on_its_build() -> None:
    """Everything else needs `AUTO_UPGRADE`, or old workers could never be stopped."""
    definitions = [workflow._Definition.must_from_class(kind) for kind in WORKFLOWS]
    pinned = {
        one.name
        for one in definitions
        if one.versioning_behavior is not VersioningBehavior.AUTO_UPGRADE
    }
    assert pinned == PINNED
