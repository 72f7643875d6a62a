"""Delivers notifications, one attempt per activity attempt."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cachetools import LRUCache
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from clawback.actions import InstallationOccasion
from clawback.cases import NotificationStep
from clawback.cases.case_document import build_case_document
from clawback.cases.digest import DigestDelivery, WaitingNotification
from clawback.cloudflare import ApiError, EmailSecurity, Share, errors
from clawback.model.messages import Target
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime
from clawback.notifications import DeliveryError, Notifier, render_notification
from clawback.notifications.digest_rendering import render_digest
from clawback.notifications.errors import DeliveryRejected, DeliveryUnavailable
from clawback.notifications.routing import Route, RouteRequest, find_route
from clawback.rules.live import LiveRules
from clawback.temporal.console_links import PageLinks
from clawback.temporal.error_types import ErrorType
from clawback.temporal.notification_gateway import NotificationGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow, QueryFailed

# The channels of a case, and the attempts of each, all want the same message.
_CACHED_SCREENSHOTS = 16
_MAX_SCREENSHOT_BYTES = 5 * 1024 * 1024


class Delivered(Payload):
    """The notification was delivered; `missing` says what could not be included."""

    missing: str | None = None


class PutOff(Payload):
    """A notification to put off from `at` until the end of the quiet hours of its channel."""

    step: NotificationStep
    at: UtcDatetime
    until: UtcDatetime


class NotificationActivities:
    """Delivers notifications through the operator's channels.

    Reporters are written to only at the account's own domains.
    """

    def __init__(  # noqa: PLR0913 - what a notification is made of
        self,
        notifier: Notifier,
        api: EmailSecurity,
        rules: LiveRules,
        *,
        links: PageLinks,
        gateway: NotificationGateway,
        audit_head: Callable[[], str] = str,
    ) -> None:
        self._notifier = notifier
        self._api = api.on(Share.ENRICHING)
        self._rules = rules
        self._links = links
        self._gateway = gateway
        self._audit_head = audit_head
        self._screenshots: LRUCache[str, bytes] = LRUCache(_CACHED_SCREENSHOTS)

    @activity.defn(name="notifications.deliver")
    async def deliver(self, step: NotificationStep) -> Delivered:
        """Make one attempt to deliver a notification. Every attempt carries the same id."""
        channel = step.action.channel
        try:
            self._check_reporter(step.reporter)
            screenshot, missing = await self._screenshot(step)
            document, unread = await self._document(step)
            missing = " ".join(filter(None, (missing, unread))) or None
            rendered = render_notification(
                step, self._links, screenshot, missing, self._audit_head()
            )
            notification = replace(rendered, document=document)
            refused = await self._notifier.send(channel, notification)
        except DeliveryError as error:
            raise _application_error(channel, error) from None

        return Delivered(missing=" ".join(filter(None, (missing, refused))) or None)

    @activity.defn(name="notifications.find_listeners")
    async def find_listeners(self, occasion: InstallationOccasion) -> list[str]:
        """Name the channels that listen for something of the installation."""
        channels = self._notifier.channels.items()
        return [name for name, channel in channels if occasion in channel.occasions]

    @activity.defn(name="notifications.find_route")
    async def find_route(self, request: RouteRequest) -> Route:
        """Say whether a notification waits for the end of quiet hours, and whom it escalates to."""
        return find_route(self._notifier.channels, request)

    @activity.defn(name="notifications.put_off")
    async def put_off(self, request: PutOff) -> None:
        """Hand a notification to the digest of its channel."""
        step = request.step
        rendered = render_notification(step, self._links)
        waiting = WaitingNotification(
            id=step.id,
            subject=rendered.subject,
            link=rendered.link,
            at=request.at,
            until=request.until,
        )
        await self._gateway.put_off(step.action.channel, waiting)

    @activity.defn(name="notifications.deliver_digest")
    async def deliver_digest(self, request: DigestDelivery) -> Delivered:
        """Make one attempt to deliver a digest. Every attempt carries the same id."""
        channel = request.digest.channel
        try:
            rendered = render_digest(request, self._links, self._audit_head())
            refused = await self._notifier.send(channel, rendered)
        except DeliveryError as error:
            raise _application_error(channel, error) from None

        return Delivered(missing=refused)

    @activity.defn(name="notifications.is_unanswered")
    async def is_unanswered(self, step: NotificationStep) -> bool:
        """Whether what a notification reports as held still waits for people."""
        return await self._gateway.is_unanswered(step)

    def _check_reporter(self, reporter: str | None) -> None:
        """Refuse to write to addresses outside the account."""
        if reporter is None:
            return

        is_own = self._rules.is_own_address(reporter)
        if is_own is None:
            raise DeliveryUnavailable("own_domains_unknown")
        if not is_own:
            raise DeliveryRejected("not_our_domain")

    async def _document(
        self, step: NotificationStep
    ) -> tuple[Mapping[str, Any] | None, str | None]:
        """Return the whole case if the channel wants it, else why it is missing."""
        context = step.context
        if context.is_undo or context.is_installation or step.reporter is not None:
            return None, None
        if not self._notifier.wants_document(step.action.channel):
            return None, None

        try:
            return build_case_document(await self._gateway.read_case(step)), None
        except (NoSuchWorkflow, QueryFailed, RPCError) as error:
            # Without it the message is worth more than a retry that comes hours later.
            return None, f"The case could not be read: {type(error).__name__}."

    async def _screenshot(self, step: NotificationStep) -> tuple[bytes | None, str | None]:
        """Return the screenshot if it was asked for, else why there is none."""
        if not step.action.wants_screenshot:
            return None, None

        message = step.context.first
        if not self._notifier.supports_screenshots(step.action.channel):
            return None, _no_screenshot("this channel does not support screenshots")
        if message is None:
            return None, _no_screenshot("the case has no message")

        try:
            screenshot = self._screenshots.get(message.id) or await self._fetch(message)
        except (ApiError, binascii.Error) as error:
            return None, _no_screenshot(type(error).__name__)

        if len(screenshot) > _MAX_SCREENSHOT_BYTES:
            return None, _no_screenshot("it is too large")

        self._screenshots[message.id] = screenshot
        return screenshot, None

    async def _fetch(self, message: Target) -> bytes:
        """Fetch the preview of a message.

        Cloudflare keeps previews of detections only. For a clean message it renders one on
        request, for which the message must still be in the mailbox.
        """
        try:
            text = await self._api.preview(message.id)
        except errors.NotFound:
            text = await self._api.make_preview(message.id)
        return base64.b64decode(text)


def _no_screenshot(reason: str) -> str:
    return f"No screenshot of the message: {reason}."


def _application_error(channel: str, error: DeliveryError) -> ApplicationError:
    is_rejected = isinstance(error, DeliveryRejected)
    return ApplicationError(
        f"{channel}: {error.reason}",
        error.reason,
        type=ErrorType.INVALID_REQUEST if is_rejected else ErrorType.UNAVAILABLE,
        next_retry_delay=error.retry_after if isinstance(error, DeliveryUnavailable) else None,
        category=ApplicationErrorCategory.BENIGN,
    )
