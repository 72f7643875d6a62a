"""The data converter: Pydantic JSON, compressed when large, encrypted if there are keys.

With keys, only what was encrypted with one of them is read: nobody without a key can start a case,
send it a decision or call an activity. By Temporal's design ids, types, search attributes and queue
names are never encrypted.
"""

import copy
import hashlib
import hmac
import os
import re
import zlib
from collections.abc import Callable, Sequence
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    EncodingPayloadConverter,
    PayloadCodec,
    PayloadConverter,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.identity.order_signing import OrderKeys
from clawback.model.refusal import Refusal
from clawback.temporal import names
from clawback.temporal.error_types import ErrorType
from clawback.temporal.key_ring import KeyRing
from clawback.temporal.live_keys import INDEX_KEY, LiveKeys

COMPRESS_FROM = 4096
"""Bytes from which compressing a payload pays."""
MAX_INFLATED = 32 * 1024 * 1024
"""Bytes to which a payload may decompress. Ours have less than two million; a bomb has more."""
_ZLIB = b"binary/zlib"
_AES = b"binary/encrypted"
_REFUSED = b"clawback/refused"
_KEY_ID = "encryption-key-id"
_PLACE = "bound-to"
_PLACE_BYTES = 16
_NONCE = 12
_SCHEDULED = re.compile(
    rf"({names.WATCHDOG}|{names.RECONCILIATION})-\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII
)


class PayloadRefused(ApplicationError):
    """A payload is not ours, or cannot be read here. No retry changes that."""

    def __init__(self, refusal: Refusal, key: str = "") -> None:
        self.refusal, self.key = refusal, key
        text = f"the payload {refusal}" + (f" (key {key})" if key else "")
        super().__init__(text, type=ErrorType.PAYLOAD_REFUSED, non_retryable=True)


RefusalObserver = Callable[[Payload, PayloadRefused], None]
"""Hears of each payload that is refused. Workflows that are replayed decode theirs again."""


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
            _inflate(payload) if payload.metadata.get("encoding") == _ZLIB else payload
            for payload in payloads
        ]

    def _deflate(self, payload: Payload) -> Payload:
        return Payload(
            metadata={"encoding": _ZLIB}, data=zlib.compress(payload.SerializeToString(), level=1)
        )


def _inflate(payload: Payload) -> Payload:
    inflating = zlib.decompressobj()
    try:
        data = inflating.decompress(payload.data, MAX_INFLATED)
        if not inflating.eof:
            is_full = len(data) == MAX_INFLATED
            return _refuse(Refusal.TOO_LARGE if is_full else Refusal.DAMAGED)
        return Payload.FromString(data)
    except (zlib.error, DecodeError):
        return _refuse(Refusal.DAMAGED)


class EncryptingCodec(PayloadCodec, WithSerializationContext):
    """Compresses, then encrypts with AES-256-GCM under the current key of a ring.

    Each payload is bound to the namespace and the id of the workflow that it belongs to, so that
    nobody can copy it into another one. What is not ours becomes a payload that no value can be
    read from. Raising here instead would fail the whole workflow task for ever, and with it the
    case, because of one signal that anybody could send.
    """

    def __init__(
        self,
        keys: KeyRing | LiveKeys,
        *,
        accepts_plaintext: bool = False,
        on_refused: RefusalObserver | None = None,
    ) -> None:
        self._on_refused = on_refused
        self.accepts_plaintext = accepts_plaintext
        self.keys = keys if isinstance(keys, LiveKeys) else LiveKeys(keys)
        self._compact = CompactCodec()
        self._place = b""

    def with_context(self, context: SerializationContext) -> "EncryptingCodec":
        """Return a codec for the payloads of one workflow."""
        kinds = (WorkflowSerializationContext, ActivitySerializationContext)
        if not isinstance(context, kinds) or context.workflow_id is None:
            return self

        place = f"{context.namespace}\0{_place_of(context.workflow_id)}".encode()
        bound = copy.copy(self)
        bound._place = hashlib.sha256(place).digest()[:_PLACE_BYTES]  # noqa: SLF001 - our own copy
        return bound

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Compress and encrypt each payload under a fresh nonce."""
        return [self._seal(payload) for payload in await self._compact.encode(payloads)]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt and decompress payloads; put refused ones in the place of what is not ours."""
        opened = await self._compact.decode([self._open(payload) for payload in payloads])
        if self._on_refused is not None:
            for payload, decoded in zip(payloads, opened, strict=True):
                if (refused := read_refusal(decoded)) is not None:
                    self._on_refused(payload, refused)
        return opened

    def _seal(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE)
        # Key id and place are authenticated too. Random nonces are safe for 2³² payloads a key.
        key_id, cipher = self.keys.current
        sealed = cipher.encrypt(nonce, payload.SerializeToString(), key_id + self._place)
        metadata = {"encoding": _AES, _KEY_ID: key_id}
        if self._place:
            metadata[_PLACE] = self._place
        return Payload(metadata=metadata, data=nonce + sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != _AES:
            return payload if self.accepts_plaintext else _refuse(Refusal.PLAINTEXT)

        key_id, place = payload.metadata[_KEY_ID], payload.metadata[_PLACE]
        if (cipher := self.keys.cipher(key_id)) is None:
            return _refuse(Refusal.UNKNOWN_KEY, key_id)
        # Without a place we only read, in the history or an index: there each is read as it is.
        if self._place and place != self._place:
            return _refuse(Refusal.MISPLACED)

        nonce, sealed = payload.data[:_NONCE], payload.data[_NONCE:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, key_id + place))
        except (InvalidTag, ValueError):
            return _refuse(Refusal.DAMAGED)


def _place_of(workflow_id: str) -> str:
    """The id of a workflow, or that of its schedule: each run gets the result of the one before."""
    scheduled = _SCHEDULED.fullmatch(workflow_id)
    return scheduled[1] if scheduled else workflow_id


def _refuse(refusal: Refusal, detail: bytes = b"") -> Payload:
    return Payload(metadata={"encoding": _REFUSED, "detail": detail}, data=refusal.encode())


def is_encoded(payload: Payload) -> bool:
    """Whether a payload was compressed or encrypted."""
    return payload.metadata.get("encoding") in {_ZLIB, _AES}


def read_refusal(payload: Payload) -> PayloadRefused | None:
    """Return why a decoded payload was refused; None if it was not."""
    if payload.metadata.get("encoding") != _REFUSED:
        return None
    detail = payload.metadata["detail"].decode("ascii", "replace")
    return PayloadRefused(Refusal(payload.data.decode()), detail)


class RefusedPayloads(EncodingPayloadConverter):
    """Raises instead of reading a value from a refused payload.

    The SDK then drops a signal, rejects an update, and fails a query, an activity or a workflow
    that was started with one.
    """

    encoding = _REFUSED.decode()

    def to_payload(self, value: object) -> None:
        """Leave every value to the other converters."""

    def from_payload(self, payload: Payload, type_hint: object = None) -> NoReturn:  # noqa: ARG002 - the base class gives it
        """Say why the payload is refused.

        Raises:
            PayloadRefused: always.

        """
        refused = read_refusal(payload)
        raise refused or PayloadRefused(Refusal.DAMAGED)


class SealedPayloads(EncodingPayloadConverter):
    """Raises for an encrypted payload where no key is set."""

    encoding = _AES.decode()

    def to_payload(self, value: object) -> None:
        """Leave every value to the other converters."""

    def from_payload(self, payload: Payload, type_hint: object = None) -> NoReturn:  # noqa: ARG002 - the base class gives it
        """Name the key that is needed.

        Raises:
            PayloadRefused: always.

        """
        raise PayloadRefused(Refusal.NO_KEY, payload.metadata[_KEY_ID].decode("ascii", "replace"))


class PayloadValues(PydanticPayloadConverter):
    """Pydantic JSON; refuses what the codec has refused."""

    def __init__(self) -> None:
        super().__init__()
        self._set_converters(*self.converters.values(), RefusedPayloads(), SealedPayloads())


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

    Each key of the ring has one, so that cases from before a rotation are found. Without a ring it
    comes from the namespace: whoever reads the index can then read the payloads too, so it protects
    nothing.
    """
    plain = hmac.digest(INDEX_KEY, namespace.encode(), "sha256")
    if not isinstance(codec, EncryptingCodec):
        return (plain,)
    found = codec.keys.index_keys
    return (*found, plain) if codec.accepts_plaintext else found


def order_keys(codec: PayloadCodec | None) -> OrderKeys:
    """Return the keys that sign orders; none without a key ring."""
    return codec.keys.order_keys if isinstance(codec, EncryptingCodec) else OrderKeys({})


def data_converter(
    keys: KeyRing | LiveKeys | None,
    *,
    accepts_plaintext: bool = False,
    on_refused: RefusalObserver | None = None,
) -> DataConverter:
    """Build the converter; without keys it writes plaintext.

    With keys, `accepts_plaintext` makes it read payloads from before encryption too.
    """
    if keys is None:
        return DataConverter(
            payload_converter_class=PayloadValues,
            payload_codec=CompactCodec(),
            failure_converter_class=BriefFailures,
        )

    return DataConverter(
        payload_converter_class=PayloadValues,
        payload_codec=EncryptingCodec(
            keys, accepts_plaintext=accepts_plaintext, on_refused=on_refused
        ),
        # Otherwise the text of an error would stay readable in the history.
        failure_converter_class=EncodedBriefFailures,
    )
