"""Keys of a process that follow their file: a rotation without a restart."""

from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload

from clawback.model.refusal import Refusal
from clawback.temporal.data_converter import data_converter, index_keys, order_keys, read_refusal
from clawback.temporal.key_ring import (
    Key,
    KeyRing,
    PayloadKeyError,
    create_key_file,
    read_key_file,
    replace_key_file,
)
from clawback.temporal.live_keys import LiveKeys, watch_key_file
from tests.identity.test_orders import order as an_order


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


async def opened(keys: LiveKeys | KeyRing, payload: Payload) -> Payload:
    """A payload as somebody with these keys reads it."""
    codec = data_converter(keys).payload_codec
    assert codec is not None
    return (await codec.decode([payload]))[0]


async def sealed(keys: LiveKeys | KeyRing) -> Payload:
    """A payload as somebody with these keys writes it."""
    codec = data_converter(keys).payload_codec
    assert codec is not None
    return (await codec.encode([Payload(data=b"x")]))[0]


async def test_a_rotation_needs_no_restart(tmp_path: Path) -> None:
    """A new key decrypts as soon as a payload names it, and encrypts within a second."""
    create_key_file(path := tmp_path / "keys")
    clock = Clock()
    live = LiveKeys(watch_key_file(path), clock)
    codec = data_converter(live).payload_codec
    orders, before = order_keys(codec), index_keys(codec, "n")
    new = Key(b"n" * 32)
    replace_key_file(path, read_key_file(path).with_key(new))
    clock.now += 0.1
    assert (await opened(live, await sealed(KeyRing([new])))).data == b"x"

    replace_key_file(path, read_key_file(path).with_current(new.id))
    clock.now += 1
    payload = await sealed(live)
    assert payload.metadata["encryption-key-id"] == new.id.encode()
    assert index_keys(codec, "n")[1:] == before
    assert orders.sign(an_order()).key == new.id
    assert order_keys(codec) is orders


async def test_a_damaged_file_keeps_the_keys(tmp_path: Path) -> None:
    """Cases go on; what only a new key could read is refused."""
    create_key_file(path := tmp_path / "keys")
    clock = Clock()
    live = LiveKeys(watch_key_file(path), clock)
    old = await sealed(live)
    path.write_text("no key\n")
    clock.now += 2
    assert (await opened(live, old)).data == b"x"
    refused = read_refusal(await opened(live, await sealed(KeyRing([Key(b"n" * 32)]))))
    assert refused is not None
    assert refused.refusal is Refusal.UNKNOWN_KEY


def test_a_file_without_keys_is_an_error_at_the_start(tmp_path: Path) -> None:
    """With the text that names file and line."""
    (tmp_path / "keys").write_text("no key\n")
    with pytest.raises(PayloadKeyError, match=r"line 1 of .*/keys is not base64"):
        watch_key_file(tmp_path / "keys")
