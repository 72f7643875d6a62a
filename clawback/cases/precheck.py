"""What is certain of an act before anybody is asked.

That it cannot be done, or that it is done already. Pure.
"""

from collections.abc import Collection

from clawback.actions import BlockSender, PolicyAction, Reclassify, Release, gives_back
from clawback.cases.plan import CasePlan
from clawback.cases.state import ALREADY_THERE, ActionStep, failed
from clawback.model.addresses import pattern_problem


def precheck(act: ActionStep, plan: CasePlan, handled: Collection[str]) -> dict[str, str]:
    """The outcomes of an act that are certain.

    Impossible patterns, messages already dealt with (`handled`).
    """
    if isinstance(act.action, BlockSender):
        reason = plan.refusals.get(act.index) or pattern_problem(
            act.action.pattern, act.action.kind
        )
        return {act.action.pattern: failed(reason)} if reason else {}
    if isinstance(act.action, PolicyAction):
        reason = plan.refusals.get(act.index) or act.action.problem
        return {act.action.label: failed(reason)} if reason else {}
    if isinstance(act.action, Reclassify):
        return {} if act.targets else {"": failed("no_message")}
    if isinstance(act.action, Release):
        return {target.id: ALREADY_THERE for target in act.targets if target.quarantined is False}
    if gives_back(act.action):
        return {}
    return {target.id: ALREADY_THERE for target in act.targets if target.id in handled}
