"""What says itself that it may be logged, whatever mail it is about."""


class LoggableError(Exception):
    """An error with a text that is safe to log, whatever mail it happened on.

    Telemetry logs `log_text` of these errors, and only the class of any other error: the message of
    an arbitrary exception may quote an address or a subject. Inherit from this if the text is about
    configuration and environment alone, or override `log_text`.
    """

    @property
    def log_text(self) -> str:
        """What may be logged."""
        return str(self)


class LoggableText(str):
    """A sentence of ours about configuration and environment alone, which telemetry logs."""

    __slots__ = ()
