"""Settings of every process, read from the environment: `CLAWBACK_*`, and Cloudflare's own two.

Secrets never show in a `repr`. The connection to Temporal has its own variables (`TEMPORAL_*`),
which the SDK reads.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from clawback.app_files import default_rules
from clawback.model.events import SOURCES, EventKind
from clawback.model.hosts import is_loopback
from clawback.model.loggable import LoggableError
from clawback.model.mode import Mode
from clawback.model.plain_errors import plain_errors, spelling
from clawback.model.providers import Provider
from clawback.model.suggestions import nearest
from clawback.private_files import private_paths
from clawback.secret_files import FileSecret, SecretName
from clawback.setting_types import (
    Address,
    Duration,
    DurationOrOff,
    Port,
    Words,
    check_collector,
    check_key,
    read_duration,
    read_providers,
    require_https,
)

CLOUDFLARE = "https://api.cloudflare.com/client/v4"

SIMULATED_ACCOUNT = "simulator"
"""Stands for the account of every simulator, so that none is taken for a real one."""

PREFIX = "CLAWBACK_"


_SECRET_FILES = {
    "cloudflare_api_token": SecretName.API_TOKEN,
    "audit_collector_token": SecretName.COLLECTOR_TOKEN,
    "identity_client_secret": SecretName.CLIENT_SECRET,
}
"""The settings that are one secret each; the key file has several lines (`key_ring`)."""


class SettingsError(LoggableError, ValueError):
    """Settings are wrong; the message names each variable and what it takes."""


class Settings(BaseSettings):
    """All settings with their defaults; `load_settings` refuses unknown `CLAWBACK_*` variables."""

    model_config = SettingsConfigDict(
        env_prefix="CLAWBACK_",
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        env_ignore_empty=True,
    )

    cloudflare_api_token: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("CLOUDFLARE_API_TOKEN", "cloudflare_api_token"),
        description="API token; without it `clawback up` runs against the simulator",
    )
    cloudflare_api_token_file: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("CLOUDFLARE_API_TOKEN_FILE", "cloudflare_api_token_file"),
        description="File of that token, instead of the token; a change is used without a restart",
    )
    cloudflare_account_id: str | None = Field(
        default=None,
        validation_alias=AliasChoices("CLOUDFLARE_ACCOUNT_ID", "cloudflare_account_id"),
        description="Account id that the token is for",
    )
    api_url: Annotated[str, AfterValidator(require_https)] = Field(
        default=CLOUDFLARE,
        description="URL of the API, https; a loopback address may be http, and counts as the "
        "simulator",
    )
    mode: Mode | None = Field(
        default=None,
        description="Ceiling for the mode of every rule; default shadow, on the simulator enforce",
    )
    rules: Path = Field(
        default_factory=default_rules,
        description="Folder of rule files; default `./rules` if it exists, else the shipped rules",
    )
    safety: Path | None = Field(
        default=None,
        description="The safety document, where others than the authors of rules own it; default "
        "`safety.yml` in the folder of rules, which must not have one otherwise",
    )
    providers: Annotated[tuple[Provider, ...], NoDecode, BeforeValidator(read_providers)] = Field(
        default=(),
        description="Providers of the account's mailboxes, `Microsoft` or `Google`, separated by "
        "commas; for `rules check`, and for domains of which the API does not name one",
    )
    channels: Path | None = Field(
        default=None,
        description="TOML file of the channels that rules may notify; default none",
    )
    state: Path = Field(
        default=Path(".clawback"),
        description="Folder of the embedded Temporal server, logs and audit; without a token "
        "its subfolder `simulator`",
    )
    audit: Path | None = Field(
        default=None, description="Audit file; default `audit.jsonl` in the state folder"
    )
    audit_key_file: Path | None = Field(
        default=None,
        description="File of the key that signs the audit, made with the first record; default "
        "the audit file with `.key`",
    )
    audit_file_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=10_000,
        description="Size at which the audit file is rotated; rotated files are compressed",
    )
    audit_file_age: DurationOrOff = Field(
        default=timedelta(days=30),
        description="Age of its first record at which the audit file is rotated; `off` for none",
    )
    audit_keep: DurationOrOff = Field(
        default="off",
        description="How long records are kept at least: older rotated files are removed, once the "
        "collector has them; `off` keeps all",
    )
    audit_keep_bytes: int | None = Field(
        default=None,
        ge=1_000_000,
        description="What all audit files may take together: the oldest rotated files beyond it "
        "are removed, once the collector has them; default no limit",
    )
    audit_collector: Annotated[str, AfterValidator(check_collector)] | None = Field(
        default=None,
        description="Where the audit is shipped to: `syslog+tls://HOST:6514`, or the https URL of "
        "a collector of newline-delimited JSON; default nowhere",
    )
    audit_collector_ca: Path | None = Field(
        default=None, description="PEM file of the CAs that the collector's certificate is from"
    )
    audit_collector_token: SecretStr | None = Field(
        default=None, description="Bearer token for a collector over https"
    )
    audit_collector_token_file: Path | None = Field(
        default=None, description="File of that token, instead of the token"
    )
    interval: Duration = Field(
        default=timedelta(seconds=5),
        ge=timedelta(milliseconds=100),
        le=timedelta(days=1),
        description="Wait between two polls of a source",
    )
    lookback: Duration = Field(
        default=timedelta(minutes=15),
        description="How far each poll reads back before its cursor, for late records",
    )
    submission_interval: Duration = Field(
        default=timedelta(minutes=1),
        ge=timedelta(milliseconds=100),
        le=timedelta(days=1),
        description="Wait between two polls of submissions",
    )
    submission_lookback: Duration = Field(
        default=timedelta(hours=72),
        description="How far polls of submissions read back: reviews finish late",
    )
    start: Duration = Field(
        default=timedelta(minutes=15), description="How far back the first poll reads"
    )
    sweep_interval: DurationOrOff = Field(
        default=timedelta(hours=6),
        description="Wait between two sweeps, which read the last days again for changed verdicts "
        "and reports; `off` turns them off",
    )
    sweep_lookback: Duration = Field(
        default=timedelta(hours=72), description="How far a sweep reads back"
    )
    page_size: int = Field(
        default=1000, ge=1, le=1000, description="Records per page; the API allows at most 1000"
    )
    age_limit: Annotated[
        timedelta | Literal["off"] | None, NoDecode, BeforeValidator(read_duration)
    ] = Field(
        default=None,
        description="Overrides the maximum message age of safety.yml; `off` removes the limit",
    )
    guard: Literal["on", "unlimited"] = Field(
        default="on",
        description="`unlimited` grants every reservation, for rehearsals and benchmarks; "
        "simulator only",
    )
    temporal_port: Port = Field(
        default=7233, description="Port of the embedded Temporal server, on loopback"
    )
    temporal_api_key_file: Path | None = Field(
        default=None,
        description="File of the API key for Temporal, instead of TEMPORAL_API_KEY; a change is "
        "used without a restart",
    )
    temporal_tls: Literal["required", "optional"] = Field(
        default="required",
        description="`required` refuses a Temporal server of another machine without TLS; "
        "`optional` only warns, for a network that encrypts by itself",
    )
    ui_port: Port = Field(
        default=8233, description="Port of the web interface of the embedded Temporal server"
    )
    temporal_ui: str | None = Field(
        default=None,
        description="URL of Temporal's web interface, for links; default the embedded server's",
    )
    simulator_port: Port = Field(
        default=8343,
        description="Port of the simulator that `clawback up` starts without credentials",
    )
    codec: Address = Field(
        default="127.0.0.1:8435",
        description="Address and port of the codec server, through which the Temporal UI shows "
        "payloads",
    )
    console: Address = Field(
        default="127.0.0.1:8434",
        description="Address and port of the web console; other addresses than loopback need an "
        "identity provider",
    )
    console_url: Annotated[str, AfterValidator(require_https)] | None = Field(
        default=None,
        description="URL at which people reach the console, https, without a path; for links in "
        "notifications and as the only host that it answers to",
    )
    deployment: Annotated[
        str, spelling(r"^[A-Za-z0-9_-]{1,100}$", "up to 100 letters, digits, _ and -")
    ] = Field(
        default="clawback",
        description="Name of this installation: of its worker deployment in Temporal, and in the "
        "comments of what it creates; each installation on an account needs its own",
    )
    installation: Annotated[
        str, spelling(r"^[a-z0-9-]{0,32}$", "up to 32 lower-case letters, digits and -")
    ] = Field(
        default="",
        description="Name of this installation among several: the label `installation` of its "
        "metrics; `clawback --installation NAME` sets it",
    )
    upgrade: Literal["rolling", "restart"] = Field(
        default="rolling",
        description="`rolling`: cases finish on the build that started them, and you choose the "
        "current build; `restart`: a worker that starts takes over all work, as `clawback up` does "
        "with its own server",
    )
    metrics: str = Field(default="127.0.0.1:9464", description="Address and port of /metrics")
    encryption_key: Annotated[SecretStr, AfterValidator(check_key)] | None = Field(
        default=None,
        description="Base64 of 32 bytes; if set, payloads are encrypted with it, and others are "
        "refused",
    )
    encryption_key_file: Path | None = Field(
        default=None,
        description="File of such keys, one per line, instead of one key; the first encrypts, all "
        "decrypt (`clawback keys`)",
    )
    encryption: Literal["on", "migrate", "off"] = Field(
        default="on",
        description="`on` needs a key, which `clawback up` makes for its own server, except for a "
        "named Temporal server on this machine; `migrate` "
        "also reads payloads from before encryption; `off` leaves them readable for the server",
    )
    identity_issuer: Annotated[str, AfterValidator(require_https)] | None = Field(
        default=None,
        description="URL of an OpenID Connect provider, https; if set, commands that change "
        "something need `clawback login`",
    )
    identity_client_id: str | None = Field(
        default=None, description="Id of the client that the provider knows this installation by"
    )
    identity_client_secret: SecretStr | None = Field(
        default=None, description="Its secret, if the provider gave it one"
    )
    identity_client_secret_file: Path | None = Field(
        default=None, description="File of that secret, instead of the secret"
    )
    identity_scopes: str = Field(
        default="openid profile email",
        description="Scopes to ask for; many providers need `offline_access` for refresh tokens",
    )
    identity_roles_claim: str = Field(
        default="groups",
        description="Claim that gives roles; a dot goes into an object, as in `realm_access.roles`",
    )
    identity_viewers: Words = Field(
        default=(), description="Values of that claim, separated by commas, that mean viewer"
    )
    identity_analysts: Words = Field(
        default=(), description="Values that mean analyst: approve, deny, undo"
    )
    identity_operators: Words = Field(
        default=(), description="Values that mean operator: also resume, confirm rules, poll"
    )
    identity_ui_audience: str | None = Field(
        default=None,
        description="Audience of the access tokens that the Temporal UI passes to the codec "
        "server; default the id of the client",
    )
    identity_access_team: Annotated[str, AfterValidator(require_https)] | None = Field(
        default=None,
        description="URL of a team of Cloudflare Access, such as "
        "`https://example.cloudflareaccess.com`, for the console",
    )
    identity_access_audience: str | None = Field(
        default=None, description="Audience tag (AUD) of the console's application in Access"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="Log format; auto is console on a terminal, JSON elsewhere",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Lowest level that is logged",
    )
    tracing: Literal["off", "otlp"] = Field(
        default="off",
        description="OpenTelemetry traces; otlp exports them over HTTP as `OTEL_EXPORTER_OTLP_*` "
        "say, and needs `clawback[tracing]`",
    )

    @field_validator("guard")
    @classmethod
    def _check_guard(cls, guard: str, others: ValidationInfo) -> str:
        if guard == "unlimited" and not _is_simulator(others.data.get("api_url", CLOUDFLARE)):
            raise ValueError(
                "`unlimited` is allowed against a simulator only; set budgets in safety.yml"
            )
        return guard

    @field_validator(
        "cloudflare_api_token_file",
        "audit_collector_token_file",
        "encryption_key_file",
        "identity_client_secret_file",
    )
    @classmethod
    def _check_file(cls, file: Path | None, others: ValidationInfo) -> Path | None:
        secret = (others.field_name or "").removesuffix("_file")
        if file is not None and others.data.get(secret) is not None:
            raise ValueError(f"{variable(secret)} is set too; set one of them")
        return file

    @model_validator(mode="after")
    def _read_files(self) -> Self:
        """Let each secret that is in a file be read from there, whenever it is used."""
        for field, name in _SECRET_FILES.items():
            if (file := getattr(self, f"{field}_file")) is not None:
                # Frozen for everybody else.
                self.__dict__[field] = FileSecret(name, file)
        return self

    @property
    def labels(self) -> dict[str, str]:
        """The labels of every metric of this installation."""
        return {"installation": self.installation} if self.installation else {}

    @property
    def has_identity_provider(self) -> bool:
        """Whether people can sign in, and so must."""
        return self.identity_issuer is not None or self.identity_access_team is not None

    @property
    def on_simulator(self) -> bool:
        """Whether the API is a simulator: its host is this machine."""
        return _is_simulator(self.api_url)

    @property
    def account(self) -> str | None:
        """The account whose data a Temporal namespace holds; None if it is not known here."""
        return SIMULATED_ACCOUNT if self.on_simulator else self.cloudflare_account_id

    @property
    def folder(self) -> Path:
        """The folder of this installation: a demo without a token never mixes with an account."""
        return self.state if self.cloudflare_api_token else self.state / "simulator"

    @property
    def audit_file(self) -> Path:
        """The audit file."""
        return self.audit or self.folder / "audit.jsonl"

    @property
    def audit_key(self) -> Path:
        """The file of the key that signs the audit."""
        return self.audit_key_file or self.audit_file.with_name(f"{self.audit_file.name}.key")

    def private_paths(self) -> Iterator[Path]:
        """Give the files and folders that only the user of this installation may access."""
        folders = (self.state, self.folder, self.folder / "logs")
        yield from private_paths(folders, self.audit_file)
        yield self.audit_key

    def interval_of(self, source: EventKind) -> timedelta:
        """The wait between two polls of a source; reviewed sources change slowly."""
        interval: timedelta = getattr(self, f"{SOURCES[source].settings_prefix}interval")
        return interval

    def lookback_of(self, source: EventKind) -> timedelta:
        """How far each poll of a source reads back.

        The API finds submissions by creation time, and they change until their review ends.
        """
        own: timedelta = getattr(self, f"{SOURCES[source].settings_prefix}lookback")
        return max(self.lookback, own)

    @property
    def ceiling(self) -> Mode:
        """The strongest mode of any rule; shadow against Cloudflare unless it is set."""
        return self.mode or (Mode.ENFORCE if self.on_simulator else Mode.SHADOW)


def _is_simulator(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: variables have a wrong value, or are no settings; it names all of them.

    """
    problems = list(_find_unknown(os.environ))
    try:
        settings = Settings()
    except ValidationError as error:
        problems += _describe(error)

    if problems:
        raise SettingsError("; ".join(problems))

    return settings


def variable(field: str) -> str:
    """Return the environment variable of a field."""
    return field.upper() if field.upper().startswith("CLOUDFLARE_") else f"{PREFIX}{field.upper()}"


def _describe(error: ValidationError) -> Iterator[str]:
    fields = dict.fromkeys(str(item["loc"][0]) for item in error.errors(include_input=False))
    for one in plain_errors(error, fields):
        remedy = f"; {one.remedy}" if one.remedy else ""
        yield f"{variable(str(one.path[0]))}: {one.message}{remedy}"


def _find_unknown(environment: Mapping[str, str]) -> Iterator[str]:
    known = {field.upper(): variable(field) for field in Settings.model_fields}
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in known.values():
            near = nearest(name.upper().removeprefix(PREFIX), known)
            yield f"{name}: unknown setting" + (f"; did you mean {known[near]}?" if near else "")
