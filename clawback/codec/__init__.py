"""The codec server: lets the Temporal UI show payloads to the people who signed in.

Touch it to change who may read payloads (`sign_in`) or what is shown of them (`display`). It only
decodes: with an endpoint that encodes, a browser could speak for a worker.
"""

from clawback.codec.server import CodecServer, ui_origins

__all__ = ["CodecServer", "ui_origins"]
