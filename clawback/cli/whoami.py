"""`clawback whoami`: who you are for clawback."""

from clawback.cli.acting import signed_in
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text
from clawback.identity.local import local_identity
from clawback.settings import load_settings


def whoami(*, as_json: AsJson = False) -> int:
    """Show who you are for clawback, and what you may do."""
    settings = load_settings()
    identity = signed_in(settings) if settings.has_identity_provider else local_identity()
    if as_json:
        print_json(identity.model_dump(mode="json"))
        return ExitCode.OK

    roles = ", ".join(identity.roles) or "no role"
    doubt = f"signed in at {identity.issuer}" if identity.is_verified else "unverified"
    print_text(f"{identity.label}: {roles} ({doubt})")
    return ExitCode.OK
