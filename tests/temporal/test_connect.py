"""What is said when no Temporal server can be reached."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr
from temporalio.service import RPCError, RPCStatusCode

from clawback.settings import Settings
from clawback.temporal.client import (
    ConnectionInClear,
    TemporalUnreachable,
    connect,
    first_clause,
    lost_server,
)
from clawback.temporal.key_ring import Key


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "Server connection error (connection refused)"),
        ("bad host", "invalid target URL: invalid international domain name"),
    ],
)
async def test_the_reason_is_words_not_debug_text(address: str, reason: str) -> None:
    """The real SDK's nested error comes out as its first clause and its message."""
    with pytest.raises(TemporalUnreachable) as refused:
        await connect(Settings.model_construct(temporal_tls="optional"), address=address)
    assert (
        str(refused.value) == f"no Temporal server answers at {address} "
        f"(set TEMPORAL_ADDRESS, or run `clawback up`): {reason}"
    )


@pytest.mark.parametrize(
    ("tls", "advice"),
    [
        ("true", "check TEMPORAL_ADDRESS, and the certificates in TEMPORAL_TLS_*"),
        ("false", "check TEMPORAL_ADDRESS, and whether the server wants TLS: TEMPORAL_TLS_*"),
    ],
)
async def test_a_named_server_that_does_not_answer_may_want_certificates(
    monkeypatch: pytest.MonkeyPatch, tls: str, advice: str
) -> None:
    """A server refuses a client without its certificate while the connection is made."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("TEMPORAL_TLS", tls)
    with pytest.raises(TemporalUnreachable) as refused:
        await connect(Settings())
    assert f"answers at 127.0.0.1:1 ({advice}): " in str(refused.value)


async def test_a_certificate_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a server is asked, and with the variables to check."""
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", "/nowhere/client.pem")
    named = r"cannot read /nowhere/client.pem for TLS to Temporal: no such file .* TEMPORAL_TLS_"
    with pytest.raises(TemporalUnreachable, match=named):
        await connect(Settings(encryption="off"))


async def test_an_api_key_in_a_file_turns_tls_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As one in the environment does: no other variable is needed for Temporal Cloud."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "bad host")
    (file := tmp_path / "key").write_text("k3y")
    with pytest.raises(TemporalUnreachable, match="and the certificates in TEMPORAL_TLS_"):
        await connect(Settings(encryption="off", temporal_api_key_file=file))
    monkeypatch.setenv("TEMPORAL_TLS", "false")
    with pytest.raises(ConnectionInClear):
        await connect(Settings(encryption="off", temporal_api_key_file=file))


@pytest.mark.parametrize("encryption", ["on", "off"])
async def test_no_connection_leaves_the_machine_in_clear(
    monkeypatch: pytest.MonkeyPatch, encryption: Literal["on", "off"]
) -> None:
    """It is refused before a packet leaves; a setting allows it where the network encrypts."""
    key = SecretStr(Key.generate().line) if encryption == "on" else None
    for address in ("192.0.2.1:7233", "temporal.invalid:7233"):
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        with pytest.raises(ConnectionInClear, match=f"{address} would have no TLS"):
            await connect(Settings(encryption=encryption, encryption_key=key))

    monkeypatch.setenv("TEMPORAL_ADDRESS", "bad host")
    with pytest.raises(TemporalUnreachable, match="no Temporal server answers"):
        await connect(Settings(encryption=encryption, encryption_key=key, temporal_tls="optional"))


def test_a_refused_key_keeps_its_message() -> None:
    """A status of the server is cut to what it was about and what it says."""
    text = (
        "Failed client connect: `get_system_info` call error after connection: "
        'Status { code: Unauthenticated, message: "Request unauthorized.", '
        "metadata: MetadataMap { headers: {} }, source: None }"
    )
    assert (
        first_clause(text)
        == "`get_system_info` call error after connection (request unauthorized.)"
    )


@pytest.mark.parametrize("status", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN"])
def test_a_server_that_goes_away_is_unreachable(status: str) -> None:
    """A worker that starts meanwhile ends with one sentence, not with a traceback."""
    error = lost_server(RPCError("transport error", RPCStatusCode[status], b""))
    assert f"went away ({status}): transport error" in error.log_text


def test_another_error_of_the_server_is_none_of_that() -> None:
    """What the server refuses is a defect, and keeps its traceback."""
    refused = RPCError("no such field", RPCStatusCode.INVALID_ARGUMENT, b"")
    with pytest.raises(RPCError) as raised:
        lost_server(refused)
    assert raised.value is refused
