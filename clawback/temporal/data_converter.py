"""The data converter: Pydantic JSON, compressed when large, encrypted if a key is set.

Each payload says in its metadata how it is stored, so a key may be set while cases are open. By
Temporal's design ids, types, search attributes and queue names are never encrypted.
"""

import base64
import binascii
import dataclasses
import hashlib
import hmac
import os
import zlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    PayloadConverter,
)
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.model.loggable import LoggableError

COMPRESS_FROM = 4096
"""Bytes from which compressing a payload pays."""
_ZLIB = b"binary/zlib"
_AES = b"binary/encrypted"
_NONCE = 12
_INDEX_KEY = b"clawback index key"
"""Separates the key of the index from every other use of the same secret."""


class PayloadKeyError(LoggableError, ValueError):
    """The encryption key is unusable, or a payload was encrypted with another key."""


class CompactCodec(PayloadCodec):
    """Compresses payloads from 4 KiB: the snapshot of a large case is sent many times."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Compress each large payload."""
        return [
            self._deflate(payload) if payload.ByteSize() >= COMPRESS_FROM else payload
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decompress compressed payloads; return others as they are."""
        return [
            Payload.FromString(zlib.decompress(payload.data))
            if payload.metadata.get("encoding") == _ZLIB
            else payload
            for payload in payloads
        ]

    def _deflate(self, payload: Payload) -> Payload:
        return Payload(
            metadata={"encoding": _ZLIB}, data=zlib.compress(payload.SerializeToString(), level=1)
        )


class EncryptingCodec(PayloadCodec):
    """Compresses, then encrypts with AES-256-GCM. Reads unencrypted payloads too."""

    def __init__(self, key: bytes) -> None:
        self.index_key = hmac.digest(key, _INDEX_KEY, "sha256")
        self._cipher = AESGCM(key)
        self._key_id = hashlib.sha256(key).hexdigest()[:8].encode()
        self._compact = CompactCodec()

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Compress and encrypt each payload under a fresh nonce."""
        return [self._seal(payload) for payload in await self._compact.encode(payloads)]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt and decompress payloads.

        Raises:
            PayloadKeyError: the payload was encrypted with another key.

        """
        return await self._compact.decode([self._open(payload) for payload in payloads])

    def _seal(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE)
        # The key id is authenticated too. Random nonces are safe for 2³² payloads under one key.
        sealed = nonce + self._cipher.encrypt(nonce, payload.SerializeToString(), self._key_id)
        return Payload(metadata={"encoding": _AES, "encryption-key-id": self._key_id}, data=sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != _AES:
            return payload

        nonce, sealed = payload.data[:_NONCE], payload.data[_NONCE:]
        try:
            return Payload.FromString(
                self._cipher.decrypt(nonce, sealed, payload.metadata["encryption-key-id"])
            )
        except InvalidTag:
            raise PayloadKeyError(
                "a payload was encrypted with another key; set CLAWBACK_ENCRYPTION_KEY to that key"
            ) from None


class BriefFailures(DefaultFailureConverter):
    """Leaves out where an expected error was raised: histories keep it for more than a year."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """Write a failure."""
        if _is_expected(exception):
            exception = exception.with_traceback(None)
        super().to_failure(exception, payload_converter, failure)


def _is_expected(exception: BaseException) -> bool:
    return (
        isinstance(exception, ApplicationError)
        and exception.category is ApplicationErrorCategory.BENIGN
    )


class EncodedBriefFailures(BriefFailures, DefaultFailureConverterWithEncodedAttributes):
    """Encodes what failures say, too."""


def index_keys(codec: PayloadCodec | None, namespace: str) -> tuple[bytes, ...]:
    """Return the keys of the hashes in the index (`clawback.cases.touches`), the current one first.

    The current key comes from the encryption key. Without one it comes from the namespace: whoever
    reads the index can then read the payloads too, so it protects nothing. That key stays valid for
    cases from before an encryption key was set.
    """
    plain = hmac.digest(_INDEX_KEY, namespace.encode(), "sha256")
    return (codec.index_key, plain) if isinstance(codec, EncryptingCodec) else (plain,)


def data_converter(key: SecretStr | None) -> DataConverter:
    """Build the converter.

    Raises:
        PayloadKeyError: the key is not base64 of 32 bytes.

    """
    if key is None:
        return dataclasses.replace(
            pydantic_data_converter,
            payload_codec=CompactCodec(),
            failure_converter_class=BriefFailures,
        )

    try:
        raw = base64.b64decode(key.get_secret_value(), validate=True)
    except binascii.Error:
        raw = b""

    if len(raw) != 32:  # noqa: PLR2004 - the key length of AES-256
        raise PayloadKeyError(
            "CLAWBACK_ENCRYPTION_KEY is not base64 of 32 bytes; "
            "create one with `openssl rand -base64 32`"
        )

    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=EncryptingCodec(raw),
        # Otherwise the text of an error would stay readable in the history.
        failure_converter_class=EncodedBriefFailures,
    )
