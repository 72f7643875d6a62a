"""Settings of every process, read from the environment: `CLAWBACK_*`, and Cloudflare's own two. Secrets never show in a `repr`.

Temporal's connection is not here: it has its own environment (`TEMPORAL_*`, read by the SDK's envconfig).
"""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from clawback.actions import Mode
from clawback.durations import parse_duration

CLOUDFLARE = "https://api.cloudflare.com/client/v4"

Duration = Annotated[timedelta, NoDecode, BeforeValidator(lambda value: parse_duration(value) if isinstance(value, str) else value)]


class SettingsError(ValueError):
    """A setting that cannot be used; the text names the variable and what it takes."""


class Settings(BaseSettings):
    """All settings with their defaults; unknown `CLAWBACK_*` variables are refused by `load_settings`."""

    model_config = SettingsConfigDict(env_prefix="CLAWBACK_", extra="forbid", frozen=True, populate_by_name=True)

    cloudflare_api_token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("CLOUDFLARE_API_TOKEN", "cloudflare_api_token"))
    cloudflare_account_id: str | None = Field(default=None, validation_alias=AliasChoices("CLOUDFLARE_ACCOUNT_ID", "cloudflare_account_id"))
    api_url: str = Field(default=CLOUDFLARE, description="Where the API is; a loopback address is taken for the simulator")
    mode: Mode | None = Field(default=None, description="Ceiling over every rule; default shadow, on the simulator enforce")
    rules: Path = Field(default=Path("rules"), description="The folder of rule files")
    state: Path = Field(default=Path(".clawback"), description="Where the embedded Temporal server, logs and the audit live")
    audit: Path | None = Field(default=None, description="The audit file; default `audit.jsonl` in the state folder")
    interval: Duration = Field(default=timedelta(seconds=5), ge=timedelta(milliseconds=100), description="Wait between two polls of a source")
    lookback: Duration = Field(default=timedelta(minutes=15), description="How far each poll reads back behind its cursor, for late records")
    start: Duration = Field(default=timedelta(minutes=15), description="How far back the very first poll reads")
    page_size: int = Field(default=1000, ge=1, le=1000, description="Records per page; the API takes at most 1000")
    age_limit: Annotated[timedelta | None, NoDecode, BeforeValidator(lambda value: None if value in (None, "off") else value)] = Field(
        default=None, description="Overrides the maximum message age of safety.yml; `off` is set by rehearsals"
    )
    metrics: str = Field(default="127.0.0.1:9464", description="Address and port of /metrics")
    encryption_key: SecretStr | None = Field(default=None, description="Base64 of 32 bytes; payloads are encrypted as soon as it is set")
    log_format: str = Field(default="auto", pattern="^(auto|json|console)$", description="auto is coloured on a terminal, JSON elsewhere")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="The least severe event that is logged")

    @property
    def on_simulator(self) -> bool:
        """Whether the API is a simulator: its host is this machine."""
        host = urlsplit(self.api_url).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def ceiling(self) -> Mode:
        """The strongest mode any rule may have; first contact with Cloudflare is harmless."""
        return self.mode or (Mode.ENFORCE if self.on_simulator else Mode.SHADOW)


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a variable has a value it cannot have; every such variable is named.

    """
    try:
        return Settings()
    except ValidationError as error:
        problems = (f"{_variable(item['loc'])}: {item['msg']}" for item in error.errors(include_url=False, include_input=False))
        raise SettingsError("; ".join(problems)) from None


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0])
    return name if name.startswith("CLOUDFLARE") else f"CLAWBACK_{name.upper()}"
