"""The files under `/static`: read once, compressed once, named by their content.

A page links `/static/page.css?v=<hash>`; such an address may be kept for a year, as other content
has another address. Only these public files are compressed: a page that holds somebody's data is
not, since the length of what is compressed tells about its content.
"""

import base64
import gzip
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.errors import Problem, RequestRefused
from ledger.crypto.hashing import sha256

FOLDER = Path(__file__).parent / "static"
KEPT_FOR_A_YEAR = "public, max-age=31536000, immutable"
ASKED_EVERY_TIME = "no-cache"
VERSION_HEX_DIGITS = 12
COMPRESSED_BYTES_MIN = 512
_MEDIA_TYPES = {
    ".js": "text/javascript",
    ".toml": "text/plain",
    ".webmanifest": "application/manifest+json",
}
_COMPRESSIBLE = ("text/", "image/svg+xml", "application/manifest+json")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file; `compressed` is empty where that would not pay."""

    content: bytes
    compressed: bytes
    media_type: str
    version: str
    integrity: str


class Assets:
    """Every file of a folder by its path in it; nothing else can be asked for."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._assets: Mapping[str, Asset] = {
            path.relative_to(folder).as_posix(): _asset(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def find(self, name: str) -> Asset | None:
        """The file under this path."""
        return self._assets.get(name)

    def url(self, name: str) -> str:
        """Its address with the hash of its content; `KeyError` if there is no such file."""
        return f"/static/{name}?v={self._assets[name].version}"

    def integrity(self, name: str) -> str:
        """What a page says the file must be (subresource integrity)."""
        return self._assets[name].integrity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under the path this is mounted at."""
        request = Request(scope, receive)
        name = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        asset = self._assets.get(name)
        if asset is None or request.method not in ("GET", "HEAD"):
            raise RequestRefused(Problem.NOT_FOUND, "there is no such file")
        await respond(asset, request)(scope, receive, send)


def respond(asset: Asset, request: Request) -> Response:
    """The file, compressed if the client takes that; 304 if it has it already."""
    etag = f'"{asset.version}"'
    is_named = request.query_params.get("v") == asset.version
    headers = {
        "etag": etag,
        "cache-control": KEPT_FOR_A_YEAR if is_named else ASKED_EVERY_TIME,
        "vary": "accept-encoding",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    if asset.compressed and "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(asset.compressed, media_type=asset.media_type, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    guessed = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    media_type = guessed or "text/plain"
    pays = media_type.startswith(_COMPRESSIBLE) and len(content) >= COMPRESSED_BYTES_MIN
    return Asset(
        content=content,
        compressed=gzip.compress(content, mtime=0) if pays else b"",
        media_type=media_type,
        version=sha256(content).hex()[:VERSION_HEX_DIGITS],
        integrity="sha256-" + base64.b64encode(sha256(content)).decode("ascii"),
    )


ASSETS = Assets()
