"""Gzipped tar archives from strangers, read in memory within named bounds.

Only plain files below the archive's root come out: no links, devices, sparse files, absolute
paths or `..`; folders are passed over. Unpacking stops at the limit, so that a small archive
cannot become a large one.
"""

import io
import tarfile
import zlib
from dataclasses import dataclass

from ledger.errors import GridledgerError

PATH_CHARACTERS_MAX = 240
PATH_DEPTH_MAX = 24
ENTRIES_PER_FILE = 4
"""Entries of an archive (folders too) for each file it may have."""
CHUNK_BYTES = 256 * 1024
RATIO_MAX = 100
RATIO_FREE_BYTES = 16 * 1024 * 1024
"""Below this size nothing is said about how well an archive is packed: 4,000 files of one byte,
each in a folder of its own and with a long name, are 14 MiB of headers, nearly all zeros."""
GZIP_WINDOW = 31
"""zlib's number for: gzip, largest window."""
PLAIN_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)


class ArchiveRefused(GridledgerError):  # noqa: N818 - a fact about some bytes
    """An archive that is damaged, too large or that would leave its folder."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What one archive may hold."""

    packed_bytes_max: int
    unpacked_bytes_max: int
    """The whole tar: contents and headers."""
    files_max: int


def read_archive(raw: bytes, limits: ArchiveLimits) -> dict[str, bytes]:
    """Contents by path; raises ArchiveRefused."""
    if len(raw) > limits.packed_bytes_max:
        raise ArchiveRefused(f"it has {len(raw)} bytes, the limit is {limits.packed_bytes_max}")
    unpacked = _inflate(raw, limits.unpacked_bytes_max)
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            return _plain_files(archive, limits.files_max)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, OSError) as error:
        raise ArchiveRefused(f"error inspecting next tar header: {error}") from error


def _inflate(raw: bytes, bytes_max: int) -> bytes:
    stream = zlib.decompressobj(GZIP_WINDOW)
    unpacked = bytearray()
    pending = raw
    try:
        while not stream.eof:
            piece = stream.decompress(pending, CHUNK_BYTES)
            unpacked += piece
            pending = stream.unconsumed_tail
            if not piece and not pending and not stream.eof:
                raise ArchiveRefused("error reading as gzip stream: unexpected EOF")
            _require_modest(len(unpacked), len(raw), bytes_max)
    except zlib.error as error:
        raise ArchiveRefused(f"error reading as gzip stream: {error}") from error
    if stream.unused_data:
        raise ArchiveRefused("error reading as gzip stream: there are bytes after its end")
    return bytes(unpacked)


def _require_modest(unpacked_bytes: int, packed_bytes: int, bytes_max: int) -> None:
    if unpacked_bytes > bytes_max:
        raise ArchiveRefused(f"it unpacks to more than {bytes_max} bytes")
    if unpacked_bytes > max(RATIO_FREE_BYTES, RATIO_MAX * packed_bytes):
        raise ArchiveRefused(f"it unpacks to more than {RATIO_MAX} times its size")


def _plain_files(archive: tarfile.TarFile, files_max: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    folders: set[str] = set()
    for count, member in enumerate(archive):
        if count >= files_max * ENTRIES_PER_FILE or len(found) > files_max:
            raise ArchiveRefused(f"it has more than {files_max} files")
        name = member.name.removeprefix("./")
        if member.isdir():
            if name not in {"", "."}:
                _require_inside(name)
            continue
        _require_plain(member)
        _require_inside(name)
        if name in found:
            raise ArchiveRefused(f"it has the file {name!r} twice")
        file = archive.extractfile(member)
        content = b"" if file is None else file.read()
        if len(content) != member.size:
            raise ArchiveRefused(f"could not read {name} from tar: unexpected EOF")
        found[name] = content
        folders.update(_parents(name))
    if both := sorted(folders & found.keys()):
        raise ArchiveRefused(f"{both[0]!r} is a file and a folder")
    if len(found) > files_max:
        raise ArchiveRefused(f"it has more than {files_max} files")
    return found


def _require_plain(member: tarfile.TarInfo) -> None:
    if member.type not in PLAIN_FILES or member.issparse():
        kind = member.type.decode("ascii", "replace")
        raise ArchiveRefused(f"tar entry {member.name[:80]} is not a regular file, type {kind!r}")


def _require_inside(name: str) -> None:
    parts = name.rstrip("/").split("/")
    is_plain = name.isprintable() and "\\" not in name and ":" not in name
    if not is_plain or any(part in {"", ".", ".."} for part in parts):
        raise ArchiveRefused(f"the path {name[:80]!r} does not stay in its folder")
    if len(name) > PATH_CHARACTERS_MAX or len(parts) > PATH_DEPTH_MAX:
        raise ArchiveRefused(f"the path {name[:80]!r}... is too long")


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
