"""Telling people, one attempt to an activity.

A repeat has the same id; nothing here touches what is told of.
"""

import base64
import binascii

from cachetools import LRUCache
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.cases import NotificationStep
from clawback.cloudflare import ApiError, EmailSecurity, Share, errors
from clawback.model.messages import Target
from clawback.model.payload import Payload
from clawback.notifications import NotDelivered, Notifier, render_notification
from clawback.notifications.errors import Refused, TryAgain
from clawback.rules.live import LiveRules
from clawback.temporal.error_types import ErrorType

_PICTURES = 16
_LARGEST_PICTURE = 5 * 1024 * 1024
_NO_PICTURE = "The screenshot of the message could not be had"


class Delivered(Payload):
    """The notification was delivered; `missing` says what could not be included."""

    missing: str | None = None


class NotificationActivities:
    """Delivers notices by the operator's channels.

    Reporters are written to only within the account's own domains.
    """

    def __init__(
        self, notifier: Notifier, api: EmailSecurity, rules: LiveRules, workflows_page: str
    ) -> None:
        self._notifier = notifier
        self._api = api.on(Share.ENRICHING)
        self._rules = rules
        self._workflows_page = workflows_page
        self._pictures: LRUCache[str, bytes] = LRUCache(_PICTURES)

    @activity.defn(name="notifications.deliver")
    async def deliver(self, step: NotificationStep) -> Delivered:
        """Make one attempt to deliver a notice."""
        try:
            self._check_receiver(step)
            picture, why = await self._picture(step)
            lost = await self._notifier.send(
                step.action.channel, render_notification(step, self._workflows_page, picture, why)
            )
        except NotDelivered as error:
            raise ApplicationError(
                f"{step.action.channel}: {error.reason}",
                error.reason,
                type=ErrorType.REJECTED if isinstance(error, Refused) else ErrorType.UNAVAILABLE,
                next_retry_delay=error.after if isinstance(error, TryAgain) else None,
                category=ApplicationErrorCategory.BENIGN,
            ) from None
        return Delivered(missing=" ".join(filter(None, (why, lost))) or None)

    def _check_receiver(self, step: NotificationStep) -> None:
        """Let nobody outside be written to."""
        if step.reporter is None:
            return
        is_ours = self._rules.owns(step.reporter)
        if is_ours is None:
            raise TryAgain("own_domains_unknown")
        if not is_ours:
            raise Refused("not_our_domain")

    async def _picture(self, step: NotificationStep) -> tuple[bytes | None, str | None]:
        """Give the picture that was asked for, or why it goes out without."""
        first = step.context.first
        if not step.action.screenshot:
            return None, None
        if not self._notifier.takes_pictures(step.action.channel):
            return None, f"{_NO_PICTURE}: this channel takes none."
        if first is None:
            return None, f"{_NO_PICTURE}: the case has no message."
        try:
            picture = self._pictures.get(first.id) or await self._taken(first)
        except (ApiError, binascii.Error) as error:
            return None, f"{_NO_PICTURE}: {type(error).__name__}."
        if len(picture) > _LARGEST_PICTURE:
            return None, f"{_NO_PICTURE}: it is too large."
        self._pictures[first.id] = picture
        return picture, None

    async def _taken(self, message: Target) -> bytes:
        """Read the picture of a detection.

        Of clean mail have one made, which needs the message in its inbox.
        """
        try:
            text = await self._api.preview(message.id)
        except errors.NotFound:
            text = await self._api.make_preview(message.id)
        return base64.b64decode(text)
