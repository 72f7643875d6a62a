"""What channels are told of the installation itself: the kill switch, its guard, demoted rules."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from clawback.actions import InstallationOccasion, Notify
from clawback.cases.state import NotificationContext, NotificationStep
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.level import Level
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

OCCASIONS: Final[Mapping[RecordKind, InstallationOccasion]] = {
    RecordKind.STOPPED: InstallationOccasion.STOPPED,
    RecordKind.RESUMED: InstallationOccasion.RESUMED,
    RecordKind.RULE_DEMOTED: InstallationOccasion.RULE_DEMOTED,
    RecordKind.RULE_CONFIRMED: InstallationOccasion.RULE_CONFIRMED,
    RecordKind.GUARD_LOST: InstallationOccasion.GUARD_LOST,
}
_LEVELS: Final[Mapping[InstallationOccasion, Level]] = {
    InstallationOccasion.STOPPED: Level.CRITICAL,
    InstallationOccasion.GUARD_LOST: Level.CRITICAL,
    InstallationOccasion.RULE_DEMOTED: Level.HIGH,
    InstallationOccasion.RESUMED: Level.HIGH,
    InstallationOccasion.RULE_CONFIRMED: Level.MEDIUM,
}
_TITLES: Final[Mapping[InstallationOccasion, str]] = {
    InstallationOccasion.STOPPED: "Containment",
    InstallationOccasion.RESUMED: "Containment",
    InstallationOccasion.GUARD_LOST: "Guard",
}


class Announcement(Payload):
    """Something to tell every channel that listens for it. `id` is unique for ever."""

    id: str
    occasion: InstallationOccasion
    at: UtcDatetime
    rule: str = ""
    actor: str = ""
    reason: str = ""

    @classmethod
    def of(cls, record: AuditRecord) -> "Announcement | None":
        """Build the announcement of an audit record; None if it is no such occasion."""
        occasion = OCCASIONS.get(record.kind)
        if occasion is None:
            return None
        return cls(
            id=record.id.rpartition("/")[2],
            occasion=occasion,
            at=record.at,
            rule=record.rule or "",
            actor=record.actor or "",
            reason=record.detail or "",
        )


def announce(
    announcement: Announcement, workflow_id: str, channels: Iterable[str]
) -> Iterator[NotificationStep]:
    """Build one notification for each channel; `workflow_id` is what sends them."""
    occasion = announcement.occasion
    context = NotificationContext(
        case=workflow_id,
        uid=f"{workflow_id}/{announcement.id}",
        rule=announcement.rule,
        title=_TITLES.get(occasion) or f"Rule {announcement.rule}",
        level=_LEVELS[occasion],
        occasion=occasion,
        at=announcement.at,
        reason=announcement.reason,
        decided_by=(announcement.actor,) if announcement.actor else (),
    )
    for number, channel in enumerate(channels):
        yield NotificationStep(
            action=Notify(channel=channel),
            index=number,
            number=number,
            episode=occasion,
            context=context,
        )
