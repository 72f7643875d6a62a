"""What campaigns of several parts have spent: their parts reserve one by one and count together.

A campaign of one part is not counted here: its case says itself what it has spent.
"""

from collections.abc import Mapping
from datetime import datetime

from clawback.cases.state import Campaign
from clawback.guard.payloads import CampaignCount

MOST_CAMPAIGNS = 1_000
"""Together about 200 KiB. Each has more messages than one case holds, so this is a very bad day."""


class Campaigns:
    """The counts of the campaigns that spent last; a campaign that was forgotten is not zero."""

    def __init__(self, counts: Mapping[str, CampaignCount], forgotten: datetime | None) -> None:
        self.counts = dict(counts)
        self.forgotten = forgotten

    def spent(self, campaign: Campaign) -> int | None:
        """What a campaign has spent since people last decided; None if that is not known."""
        known = self.counts.get(campaign.id)
        if known is not None:
            return 0 if _is_decided_since(campaign, known) else known.spent
        if self.forgotten is not None and campaign.opened_at <= self.forgotten:
            return None
        return campaign.spent

    def charge(self, campaign: Campaign, count: int) -> str:
        """Count what one part spends; return the decision since which it counts."""
        spent = self.spent(campaign)
        known = self.counts.pop(campaign.id, None)
        if known is None or _is_decided_since(campaign, known):
            known = CampaignCount(
                spent=0,
                opened_at=campaign.opened_at,
                decision=campaign.decision,
                decided_at=campaign.decided_at,
            )
        before = campaign.spent if spent is None else spent
        # Again at the end: dicts keep their order, and the first one is forgotten first.
        self.counts[campaign.id] = known.model_copy(update={"spent": before + count})
        self._bound()
        return known.decision

    def refund(self, campaign: Campaign, decision: str | None, count: int) -> None:
        """Give back what one part did not spend, unless people have decided since.

        `decision` is what `charge` returned; None for what a case was granted while it was alone,
        which is part of what its campaign started with.
        """
        known = self.counts.get(campaign.id)
        counted_since = campaign.decision if decision is None else decision
        if known is not None and known.decision == counted_since:
            left = max(known.spent - count, 0)
            self.counts[campaign.id] = known.model_copy(update={"spent": left})

    def forget(self, now: datetime) -> None:
        """Forget all campaigns; what those that are open have spent is then not known."""
        self.counts, self.forgotten = {}, now

    def _bound(self) -> None:
        while len(self.counts) > MOST_CAMPAIGNS:
            opened_at = self.counts.pop(next(iter(self.counts))).opened_at
            self.forgotten = max(self.forgotten or opened_at, opened_at)


def _is_decided_since(campaign: Campaign, known: CampaignCount) -> bool:
    """Whether a part knows of a later decision. All parts get one decision under the same id."""
    if campaign.decided_at is None or campaign.decision == known.decision:
        return False
    return known.decided_at is None or campaign.decided_at > known.decided_at
