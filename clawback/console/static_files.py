"""Static files under URLs with their hash, so that browsers keep them for a year.

Nothing else is ever served from disk: the files are read once, at start.
"""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_YEAR: Final = 365 * 24 * 3600
_HASH_DIGITS: Final = 8


@dataclass(frozen=True)
class StaticFile:
    """One file, as it is sent."""

    name: str
    content: bytes
    media_type: str

    @property
    def path(self) -> str:
        """The path of its URL, which changes with its content."""
        digest = hashlib.sha256(self.content).hexdigest()[:_HASH_DIGITS]
        return f"/static/{digest}/{self.name}"

    @cached_property
    def compressed(self) -> bytes:
        """Its content, compressed with gzip."""
        return gzip.compress(self.content, 9, mtime=0)


class StaticFiles:
    """All static files, by the path of their URL."""

    def __init__(self) -> None:
        found = list(_read(files("clawback.console") / "static"))
        self._by_path = {file.path: file for file in found}
        self.paths: Mapping[str, str] = {file.name: file.path for file in found}

    async def serve(self, request: Request) -> Response:
        """Answer `/static/<hash>/<name>`; an old hash is unknown."""
        file = self._by_path.get(request.url.path)
        if file is None:
            raise HTTPException(404)
        headers = {
            "Cache-Control": f"public, max-age={_YEAR}, immutable",
            "Vary": "Accept-Encoding",
        }
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(file.compressed, headers=headers, media_type=file.media_type)
        return Response(file.content, headers=headers, media_type=file.media_type)


def _read(folder: Traversable) -> Iterator[StaticFile]:
    for found in folder.iterdir():
        if found.is_dir():
            yield from _read(found)
        elif (kind := found.name.rpartition(".")[2]) in _TYPES:
            yield StaticFile(found.name, found.read_bytes(), _TYPES[kind])
