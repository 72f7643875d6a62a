"""The data converter compresses and encrypts, and reads every form."""

import base64
import os

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.temporal.data_converter import COMPRESS_FROM, PayloadKeyError, data_converter


def key() -> SecretStr:
    """Make a fresh key."""
    return SecretStr(base64.b64encode(os.urandom(32)).decode())


async def there(converter: DataConverter, value: str) -> Payload:
    """Encode one value."""
    return (await converter.encode([value]))[0]


async def back(converter: DataConverter, payload: Payload) -> str:
    """Decode one value."""
    value: str = (await converter.decode([payload], [str]))[0]
    return value


@pytest.mark.parametrize("size", [10, COMPRESS_FROM * 20])
@pytest.mark.parametrize("encrypted", [False, True])
async def test_values_survive_the_round_trip(size: int, encrypted: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Small and large, plain and encrypted."""
    converter = data_converter(key() if encrypted else None)
    value = "secret " * size
    payload = await there(converter, value)
    assert await back(converter, payload) == value
    assert payload.ByteSize() < max(200, size * 7 // 5)


async def test_an_encrypted_payload_shows_nothing() -> None:
    """Neither the value nor its type can be read."""
    payload = await there(data_converter(key()), "secret")
    assert b"secret" not in payload.SerializeToString()
    assert b"json" not in payload.SerializeToString()


async def test_setting_a_key_keeps_old_payloads_readable() -> None:
    """What was written before the key was set is read with it."""
    value = "plain " * COMPRESS_FROM
    assert await back(data_converter(key()), await there(data_converter(None), value)) == value


async def test_another_key_is_named_as_the_problem() -> None:
    """The error says which variable to set."""
    payload = await there(data_converter(key()), "secret")
    with pytest.raises(PayloadKeyError, match="CLAWBACK_ENCRYPTION_KEY"):
        await back(data_converter(key()), payload)


@pytest.mark.parametrize(
    "text", ["", "short", base64.b64encode(b"16 bytes long...").decode(), "not base64!"]
)
def test_an_unusable_key_is_refused(text: str) -> None:
    """The error says how to make one."""
    with pytest.raises(PayloadKeyError, match="openssl"):
        data_converter(SecretStr(text))


@pytest.mark.parametrize("category", list(ApplicationErrorCategory))
@pytest.mark.parametrize("encrypted", [False, True])
async def test_an_expected_error_has_no_stack_trace(
    category: ApplicationErrorCategory,
    encrypted: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """Quiet polls leave one of them in the history every three minutes."""
    converter, failure = data_converter(key() if encrypted else None), Failure()
    with pytest.raises(ApplicationError) as raised:
        raise ApplicationError("nothing new", category=category)
    await converter.encode_failure(raised.value, failure)
    read = await converter.decode_failure(failure)
    assert isinstance(read, ApplicationError)
    has_trace = bool(read.failure and read.failure.stack_trace)
    assert has_trace is (category is not ApplicationErrorCategory.BENIGN)
