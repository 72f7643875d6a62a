"""What can go wrong with identities.

IdentityError
├─ ProviderUnavailable  the identity provider does not answer, or not as it should
├─ TokenRefused         a token is not one that this installation accepts; the text says why
└─ NotSignedIn          nobody has signed in here, or the sign-in is over
"""

from clawback.model.loggable import LoggableError


class IdentityError(LoggableError, RuntimeError):
    """Who somebody is cannot be told."""


class ProviderUnavailable(IdentityError):
    """The identity provider does not answer, or not as it should."""


class TokenRefused(IdentityError):
    """A token is not one that this installation accepts."""


class NotSignedIn(IdentityError):
    """Nobody has signed in here, or the sign-in is over."""
