"""`/ops/channels`: what each notification channel is set up for, and how well it delivers."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from clawback.console.framing import render_page
from clawback.console.page_routes import Page
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_query
from clawback.console.services import services_of
from clawback.console.views.channels import build_channels
from clawback.model.identity import Role
from clawback.notifications import ChannelFileError, read_channels
from clawback.notifications.channels import Channels


async def show_channels(request: Request) -> Response:
    """List the channels of the file that this console has."""
    read_query(request, frozenset())
    services, zone = services_of(request), Preferences.of(request).zone
    channels: Channels = {}
    problem = ""
    try:
        channels = await asyncio.to_thread(read_channels, services.settings.channels)
    except ChannelFileError as error:
        problem = str(error)
    reading = await services.operations.read()
    view = build_channels(channels, reading.channels, services.now(), zone, problem)
    return render_page(
        request, "channels", view, title="Notification channels", command="clawback doctor"
    )


CHANNEL_PAGES: Final = (Page("/ops/channels", show_channels, Role.VIEWER),)
