"""The channel file: a TOML file of the operator's, named by `CLAWBACK_CHANNELS`."""

import operator
import tomllib
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from clawback.actions import ChannelTraits
from clawback.actions.base import ChannelName
from clawback.model.loggable import LoggableError
from clawback.notifications.channels import CHANNEL_TYPES, Channels

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

    try:
        return parse_channels(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ChannelFileError(
            f"{file}: cannot be read ({reason}); check CLAWBACK_CHANNELS"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChannelFileError(f"{file}: invalid TOML: {error}") from None
    except ValidationError as error:
        problems = "; ".join(f"{file}: {problem}" for problem in _describe_problems(error))
        raise ChannelFileError(problems) from None


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


def _describe_problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        # The location is the channel, its kind if that is valid, and the path of the key.
        channel, *path = problem["loc"]
        place = ".".join(str(step) for step in (channel, *path[1:]))
        yield f"{place}: {problem['msg'].removeprefix('Value error, ')}"
