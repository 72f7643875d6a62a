"""The never-block list as commands need it.

That of safety.yml, and the account's own domains where they can be read.
"""

from pathlib import Path

from clawback.cli.output import complain
from clawback.cli.rules.folders import load_folder
from clawback.cloudflare import ApiError, EmailSecurity, protected_domains
from clawback.rules.source.safety import Safety


async def read_safety(api: EmailSecurity, folder: Path) -> Safety:
    """Read the list as a worker has it; what cannot be read is said."""
    safety = load_folder(folder).safety
    try:
        return safety.owning(await protected_domains(api.settings.domains))
    except ApiError as error:
        complain(f"the domains of the account cannot be read, so only safety.yml counts: {error}")
        return safety
