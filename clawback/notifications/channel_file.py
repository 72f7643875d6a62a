"""The channel file: a TOML file of the operator's, named by `CLAWBACK_CHANNELS`."""

import operator
import tomllib
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError

from clawback.actions import ChannelTraits
from clawback.actions.base import ChannelName
from clawback.model.loggable import LoggableError
from clawback.model.plain_errors import PlainError, plain_errors
from clawback.model.suggestions import did_you_mean
from clawback.notifications.channels import CHANNEL_TYPES, Channels
from clawback.notifications.quiet_hours import QuietHours

_ANY_CHANNEL: Any = reduce(operator.or_, CHANNEL_TYPES)
_CHANNEL = Annotated[_ANY_CHANNEL, Field(discriminator="kind")]
_FILE: TypeAdapter[Channels] = TypeAdapter(dict[ChannelName, _CHANNEL])


class ChannelFileError(LoggableError, ValueError):
    """The channel file cannot be used. The message names file, channel and key, no secret."""


def read_channels(file: Path | None) -> Channels:
    """Read the channel file. Without a file there are no channels.

    Raises:
        ChannelFileError: the file is unreadable or invalid; the message lists all problems.

    """
    if file is None:
        return {}

    tables: dict[str, Any] = {}
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        channels = parse_channels(tables)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ChannelFileError(
            f"{file}: cannot be read ({reason}); check CLAWBACK_CHANNELS"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChannelFileError(f"{file}: invalid TOML: {error}") from None
    except ValidationError as error:
        problems = "; ".join(f"{file}: {problem}" for problem in _describe_problems(error, tables))
        raise ChannelFileError(problems) from None

    if problems := "; ".join(f"{file}: {one}" for one in _check_escalations(channels)):
        raise ChannelFileError(problems)
    return channels


def parse_channels(tables: Mapping[str, object]) -> Channels:
    """Parse the tables of a channel file. Raises `pydantic.ValidationError`."""
    return _FILE.validate_python(tables)


def traits_of(channels: Channels) -> Mapping[str, ChannelTraits]:
    """Return what rules need to know of each channel."""
    return {
        name: ChannelTraits(
            kind=channel.kind,
            supports_screenshots=channel.supports_screenshots,
            supports_reporters=channel.supports_reporters,
        )
        for name, channel in channels.items()
    }


def _check_escalations(channels: Channels) -> Iterator[str]:
    """Describe escalations that lead nowhere, or in a circle."""
    for name, channel in channels.items():
        if (first := channel.escalate_to) is not None and first not in channels:
            remedy = did_you_mean(first, channels)
            yield f"{name}.escalate_to: there is no channel {first}; {remedy}"

        known, to = [name], first
        while to is not None and to in channels and to not in known:
            known.append(to)
            to = channels[to].escalate_to
        if to == name:
            circle = " to ".join((*known, name))
            yield f"{name}.escalate_to: it leads in a circle, from {circle}; end it somewhere"


def _describe_problems(error: ValidationError, tables: Mapping[str, Any]) -> Iterator[str]:
    for one in plain_errors(error, tables):
        remedy = f"; {one.remedy}" if one.remedy else ""
        if one.is_unknown_key:
            remedy = f"; {did_you_mean(str(one.path[-1]), _keys_of(tables, one))}"
        yield f"{one.dotted}: {one.message}{remedy}"


def _keys_of(tables: Mapping[str, Any], error: PlainError) -> list[str]:
    """Give the keys of a table, by its kind, or of its quiet hours."""
    if error.path[1] == "quiet_hours":
        fields = QuietHours.model_fields
        return [field.alias or name for name, field in fields.items()]
    kind = tables[str(error.path[0])].get("kind")
    found = (
        one for one in CHANNEL_TYPES if get_args(one.model_fields["kind"].annotation)[0] == kind
    )
    return [name for one in found for name in one.model_fields]
