"""The rules that are loaded, each with its effective mode and when it last matched."""

from pydantic import BaseModel, ConfigDict

from clawback.model.mode import Mode
from clawback.model.times import UtcDatetime
from clawback.settings import Settings


class ListedRule(BaseModel):
    """One rule in a list.

    `mode` is the effective one, under the ceiling and safety.yml; None for a rule without response.
    `kind` names what the rule reads. `clean_mail` says that it may match clean mail, so that
    pollers read all of it. `file` is relative to the folder of rules.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    status: str
    mode: Mode | None
    mode_of_rule: Mode | None
    level: str
    kind: str
    correlation: str | None
    version: str
    line: int
    tests: int
    last_match: UtcDatetime | None
    clean_mail: bool
    file: str


class RuleList(BaseModel):
    """The rules of a folder, their version and the strongest mode that any may have.

    `clean_mail` names all rules of the folder that may match clean mail, listed or not.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    ceiling: Mode
    rules: tuple[ListedRule, ...]
    clean_mail: tuple[str, ...]


def ceiling_of(settings: Settings) -> Mode:
    """Return the strongest mode of any rule; on the simulator, without a token, all may act."""
    return settings.ceiling if settings.cloudflare_api_token else settings.mode or Mode.ENFORCE
