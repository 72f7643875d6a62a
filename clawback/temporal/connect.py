"""Connecting: Temporal's own environment (`TEMPORAL_*`, profiles, TLS, API keys) and our data converter."""

from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from clawback.settings import Settings
from clawback.temporal.converter import data_converter


class TemporalUnreachable(ConnectionError):
    """No Temporal server answered; the text names the address and what to do."""


async def connect(settings: Settings, *, runtime: Runtime | None = None, address: str | None = None) -> Client:
    """Connect to the server that `TEMPORAL_*` names, or to `address`, or to the embedded default.

    Raises:
        TemporalUnreachable: nobody answers there, or it does not take our credentials.
        PayloadKeyError: the encryption key is unusable.

    """
    profile = ClientConfigProfile.load().to_client_connect_config()
    target = address or profile.get("target_host") or f"127.0.0.1:{settings.temporal_port}"
    options = {**profile, "target_host": target, "data_converter": data_converter(settings.encryption_key)}
    try:
        return await Client.connect(**options, runtime=runtime)  # type: ignore[arg-type]
    except (RuntimeError, RPCError) as error:
        reason = str(error)[:200]
        raise TemporalUnreachable(
            f"no Temporal server answers at {target} (set TEMPORAL_ADDRESS, or run `clawback up`): {reason}"
        ) from error
