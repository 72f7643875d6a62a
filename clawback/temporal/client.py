"""Connects to Temporal: its own environment (`TEMPORAL_*`, profiles, TLS) and our converter."""

import re
from urllib.parse import urlsplit

from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import ConnectConfig, RPCError, RPCStatusCode

from clawback.model.hosts import is_loopback
from clawback.model.loggable import LoggableError, LoggableText
from clawback.secret_files import FileSecret, SecretName
from clawback.settings import Settings
from clawback.telemetry.tracing import tracer
from clawback.temporal.data_converter import RefusalObserver, data_converter
from clawback.temporal.installation_keys import key_file
from clawback.temporal.key_ring import Key, KeyRing, PayloadKeyError, read_key_file
from clawback.temporal.live_connection import make_live
from clawback.temporal.live_keys import LiveKeys, watch_key_file

_LOST = frozenset(
    {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.UNKNOWN}
)
"""How a call ends whose server goes away; `UNKNOWN` is a connection that broke in the middle."""
_QUOTED = re.compile(r'\b(?:message|error): "([^"]+)"')


class TemporalUnreachable(LoggableError, ConnectionError):
    """No Temporal server answered; the text gives the address and what to do."""


class ConnectionInClear(TemporalUnreachable):
    """The connection to another machine would not be encrypted."""


def server_address(settings: Settings) -> str:
    """Return host and port of the server that `TEMPORAL_*` names, else of the embedded one."""
    return ClientConfigProfile.load().address or f"127.0.0.1:{settings.temporal_port}"


def api_key_of(settings: Settings) -> FileSecret | None:
    """Return the API key for Temporal that is in a file of its own; None if none is named."""
    file = settings.temporal_api_key_file
    return None if file is None else FileSecret(SecretName.TEMPORAL_API_KEY, file)


def chosen_namespace() -> str:
    """Return the namespace that `TEMPORAL_*` names, else the default one."""
    return ClientConfigProfile.load().namespace or "default"


def read_keys(settings: Settings) -> KeyRing | None:
    """Read the keys that the settings name; None if they name none, and need none.

    Raises:
        PayloadKeyError: a key is unusable or missing, or the file cannot be read.

    """
    if settings.encryption == "off":
        _require_no_provider(settings, "CLAWBACK_ENCRYPTION=off")
        return None
    if settings.encryption_key is not None:
        secret = settings.encryption_key.get_secret_value()
        return KeyRing([Key.parse(secret, "CLAWBACK_ENCRYPTION_KEY")])

    file = key_file(settings)
    if file is not None:
        return read_key_file(file)

    address = server_address(settings)
    if not is_loopback(urlsplit(f"//{address}").hostname or ""):
        raise PayloadKeyError(
            f"no encryption key is set for the Temporal server at {address}: create a key file "
            "with `clawback keys new FILE` and set CLAWBACK_ENCRYPTION_KEY_FILE, or set "
            "CLAWBACK_ENCRYPTION=off to let the server read the content of mail"
        )
    _require_no_provider(settings, "no encryption key")
    return None


def read_live_keys(settings: Settings) -> LiveKeys | None:
    """Read the keys that the settings name, and later those that their file then has.

    Raises:
        PayloadKeyError: as `read_keys` says.

    """
    ring = read_keys(settings)
    file = None if settings.encryption_key is not None else key_file(settings)
    if ring is None or file is None:
        return None if ring is None else LiveKeys(ring)
    return LiveKeys(watch_key_file(file))


def _require_no_provider(settings: Settings, found: str) -> None:
    """Raise where people sign in, but nothing can be signed."""
    if settings.has_identity_provider:
        raise PayloadKeyError(
            f"an identity provider is set, and {found}: without a key anybody can decide in any "
            "name; create a key file with `clawback keys new FILE` and set "
            "CLAWBACK_ENCRYPTION_KEY_FILE"
        )


def describe_plaintext(connection: ConnectConfig) -> LoggableText | None:
    """Say that a connection to another machine is not encrypted; None if it is, or stays here."""
    if not _is_in_clear(connection.target_host, has_tls=bool(connection.tls)):
        return None
    return LoggableText(
        f"the connection to Temporal at {connection.target_host} has no TLS; "
        "set TEMPORAL_TLS=true, unless a service mesh encrypts it"
    )


def _is_in_clear(address: str, *, has_tls: bool) -> bool:
    return not has_tls and not is_loopback(address.rpartition(":")[0].strip("[]"))


async def connect(
    settings: Settings,
    *,
    runtime: Runtime | None = None,
    address: str | None = None,
    namespace: str | None = None,
    on_refused: RefusalObserver | None = None,
) -> Client:
    """Connect to `address`, else to the server that `TEMPORAL_*` names, else to the embedded one.

    Raises:
        ConnectionInClear: it is on another machine, without TLS, and no setting allows that.
        TemporalUnreachable: no server answers there, or it refuses our credentials, or a file of
            its certificates cannot be read.
        PayloadKeyError: an encryption key is unusable.

    """
    profile = _read_profile(settings)
    target = address or server_address(settings)
    in_clear = _is_in_clear(target, has_tls=bool(profile.get("tls")))
    if in_clear and settings.temporal_tls == "required":
        raise ConnectionInClear(
            f"the connection to Temporal at {target} would have no TLS: set TEMPORAL_TLS=true, or "
            "CLAWBACK_TEMPORAL_TLS=optional where a service mesh encrypts it"
        )

    options = {
        **profile,
        "target_host": target,
        "data_converter": data_converter(
            read_live_keys(settings),
            accepts_plaintext=settings.encryption == "migrate",
            on_refused=on_refused,
        ),
    }
    if namespace is not None:
        options["namespace"] = namespace
    if (ours := tracer()) is not None:
        from clawback.temporal.trace_interceptor import TraceInterceptor  # noqa: PLC0415 - an extra

        options["interceptors"] = [TraceInterceptor(ours)]

    try:
        return make_live(await Client.connect(**options, runtime=runtime))  # type: ignore[arg-type]
    except (RuntimeError, ValueError, RPCError) as error:
        raise TemporalUnreachable(
            f"no Temporal server answers at {target} ({_advise(profile)}): "
            f"{first_clause(str(error))}"
        ) from error


def _advise(profile: ClientConnectConfig) -> str:
    """Say what to look at: the SDK words a certificate that is missing like a server that is."""
    if "target_host" not in profile:
        return "set TEMPORAL_ADDRESS, or run `clawback up`"
    if profile.get("tls"):
        return "check TEMPORAL_ADDRESS, and the certificates in TEMPORAL_TLS_*"
    return "check TEMPORAL_ADDRESS, and whether the server wants TLS: TEMPORAL_TLS_*"


def _read_profile(settings: Settings) -> ClientConnectConfig:
    """Read what the environment says of the connection, with an API key that is in a file."""
    try:
        profile = ClientConfigProfile.load().to_client_connect_config()
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise TemporalUnreachable(
            f"cannot read {error.filename} for TLS to Temporal: {reason}; check TEMPORAL_TLS_*"
        ) from None

    if (key := api_key_of(settings)) is not None:
        profile["api_key"] = key.get_secret_value()
        # As TEMPORAL_API_KEY does.
        profile.setdefault("tls", True)
    return profile


def lost_server(error: RPCError) -> TemporalUnreachable:
    """Say that the server went away after the connection was made.

    Raises:
        RPCError: the error means something else.

    """
    if error.status not in _LOST:
        raise error
    return TemporalUnreachable(
        f"the Temporal server went away ({error.status.name}): {first_clause(error.message)}; "
        "start the worker again once it answers"
    )


def first_clause(text: str) -> str:
    """Shorten an error of the SDK: drop its debug dump of nested errors, keep the first message."""
    clause = re.split(r"[({]", text, maxsplit=1)[0]
    if clause == text:
        return text[:200]
    summary = clause.rpartition(": ")[0].removeprefix("Failed client connect: ")[:120]
    nested = _QUOTED.search(text)
    return f"{summary} ({nested[1].lower()[:120]})" if nested else summary
