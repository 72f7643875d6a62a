"""How well each channel delivers, read from the index after real deliveries."""

from datetime import timedelta
from pathlib import Path

from temporalio.client import Client

from clawback.actions import Notify
from clawback.cases import CasePlan
from clawback.doctor.check import CheckStatus
from clawback.doctor.delivery_checks import check_deliveries
from clawback.notifications.channel_file import parse_channels
from clawback.settings import Settings
from clawback.temporal.channel_health import ChannelHealth, read_channel_health
from tests.notifications.receivers import web_receiver
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_notifications import outcomes, plan, simulated
from tests.workflows.test_quiet_hours import channel, quiet_for


def telling(name: str) -> CasePlan:
    """A case that tells one channel."""
    return plan(Notify(channel=name), group={"edf_hash": name})


async def test_the_health_of_a_channel_says_what_was_delivered_given_up_and_waits(
    temporal: Client, tmp_path: Path
) -> None:
    """Each channel for itself; one that nothing was sent to has no health."""
    simulator, matches = simulated(4)
    names = ("good", "gone", "down", "quiet")
    with web_receiver() as good, web_receiver(404) as gone, web_receiver(*[503] * 1000) as down:
        night = channel(good, quiet_hours=quiet_for(timedelta(minutes=30)))
        settings = {
            "good": channel(good),
            "gone": channel(gone),
            "down": channel(down),
            "quiet": night,
            "unused": channel(good),
        }
        channels = parse_channels(settings)
        async with deployed(temporal, simulator, tmp_path, channels) as deployment:
            for name, match in zip(names, matches, strict=True):
                await deployment.signal_case(telling(name), match)
            await outcomes(deployment, telling("good"))
            await outcomes(deployment, telling("gone"))
            good_, gone_, down_, quiet, unused = await eventually(
                lambda: _health(deployment, (*names, "unused"))
            )

    assert good_.last_success is not None
    assert (good_.last_failure, good_.is_failing, good_.waiting) == (None, False, 0)
    assert gone_.last_failure is not None
    assert (gone_.last_success, gone_.is_failing) == (None, True)
    assert down_ == ChannelHealth("down", waiting=1)
    assert quiet == ChannelHealth("quiet", quiet=1)
    assert unused == ChannelHealth("unused")


async def test_the_doctor_warns_of_a_channel_whose_last_delivery_was_given_up(
    temporal: Client, tmp_path: Path
) -> None:
    """And says how to find out why."""
    simulator, matches = simulated(1)
    file = tmp_path / "channels.toml"
    with web_receiver(404) as gone:
        settings = channel(gone)
        lines = "\n".join(f'{name} = "{value}"' for name, value in settings.items())
        file.write_text(f"[gone]\n{lines}\n[unused]\n{lines}\n", encoding="utf-8")
        channels = parse_channels({"gone": settings})
        async with deployed(temporal, simulator, tmp_path / "state", channels) as deployment:
            await deployment.signal_case(telling("gone"), *matches)
            await eventually(lambda: _failing(deployment))
            failing, unused = await check_deliveries(temporal, Settings(channels=file))

    assert (failing.check, failing.status) == ("deliveries gone", CheckStatus.WARNING)
    assert failing.found.startswith("last given up ")
    assert "clawback doctor --send-test gone" in str(failing.remedy)
    assert (unused.status, unused.found) == (CheckStatus.OK, "nothing was sent yet")


async def _health(deployment: Deployment, names: tuple[str, ...]) -> list[ChannelHealth] | None:
    """Read the health once the index has caught up."""
    found = await read_channel_health(deployment.client, names)
    good, gone, down, quiet, _ = found
    is_there = good.last_success and gone.last_failure and down.waiting and quiet.quiet
    is_settled = not good.waiting and not gone.waiting and not quiet.waiting
    return found if is_there and is_settled else None


async def _failing(deployment: Deployment) -> bool | None:
    (one,) = await read_channel_health(deployment.client, ["gone"])
    return one.is_failing or None
