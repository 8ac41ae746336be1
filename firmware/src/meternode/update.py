"""A new application over the air, once its manifest is checked; and a way back.

`files.txt` at the manifest's URL has a line `path|size|sha256` for each file; it is kept on flash
and read line by line, since a node in use has no room for it in memory. The new folder is started
a few times at most until it has delivered a reading to the gateway (`slots.confirm`); otherwise
`main.py` goes back to the old one. This module is read when there is an update, with the link
closed, and costs no memory otherwise.
"""

import binascii
import hashlib

from meternode.flash import make_folder
from meternode.manifest import BadUpdate
from meternode.slots import SLOTS, TRIES, erase, read_slot, write_slot

LIST_BYTES_MAX = 16_384
LINE_BYTES_MAX = 160
FILES_MAX = 60
LIST = "files.txt"
FILE_BYTES_MAX = 32_768


async def install(manifest, fetch, root):
    """Fetch every file into the idle slot and make it the next one to start; returns its name.

    `fetch(url, write)` is a coroutine that gives each piece it reads to `write`. Raises
    `BadUpdate`, or `OSError` when the server does not answer.
    """
    slot = read_slot(root)
    target = SLOTS[1 - SLOTS.index(slot["active"])]
    await _fetch(fetch, manifest.url + "/" + LIST, root + LIST, LIST_BYTES_MAX, manifest.files)
    erase(root + target)
    count = 0
    with open(root + LIST, "rb") as listed:
        while True:
            line = listed.readline()
            if not line:
                break
            path, size, sha256 = _listed(line)
            count += 1
            if count > FILES_MAX:
                raise BadUpdate("number of files")
            _make_folders(root + target, path)
            place = root + target + "/" + path
            if await _fetch(fetch, manifest.url + "/" + path, place, size, sha256) != size:
                raise BadUpdate("size of " + path)
    write_slot(root, {"active": target, "confirmed": False, "tries": TRIES})
    return target


async def _fetch(fetch, url, place, size_max, sha256):
    """A file from the server whose content must have this hash; its size."""
    sink = _Sink(place, size_max)
    try:
        await fetch(url, sink.write)
    finally:
        sink.close()
    if sink.digest() != sha256:
        raise BadUpdate("content of " + place)
    return sink.size


def _listed(line):
    """`(path, size, sha256)` of a line of the list."""
    try:
        path, size, sha256 = line.decode().strip().split("|")
        size = int(size)
    except ValueError:
        raise BadUpdate("list") from None
    if len(line) > LINE_BYTES_MAX or not _is_path(path) or not 0 <= size <= FILE_BYTES_MAX:
        raise BadUpdate("file " + path[:60])
    return path, size, sha256


class _Sink:
    """A file that is written in pieces, hashed on the way and never longer than announced."""

    def __init__(self, path, size_max):
        self._file = open(path, "wb")  # noqa: SIM115 - closed by install()
        self._hash = hashlib.sha256()
        self._size_max = size_max
        self.size = 0

    def write(self, piece):
        self.size += len(piece)
        if self.size > self._size_max:
            raise BadUpdate("longer than announced")
        self._file.write(piece)
        self._hash.update(piece)

    def close(self):
        self._file.close()

    def digest(self):
        return binascii.hexlify(self._hash.digest()).decode()


def _is_path(path):
    """A file of one or two folders below the slot: no way out of it."""
    parts = path.split("/")
    plain = all(part and _is_plain(part) for part in parts)
    return plain and len(parts) <= 3 and path.endswith((".py", ".mpy"))


def _is_plain(part):
    return part[0] != "." and all(
        character in "_." or (character < "\x7f" and (character.isalpha() or character.isdigit()))
        for character in part
    )


def _make_folders(folder, path):
    make_folder(folder)
    for part in path.split("/")[:-1]:
        folder += "/" + part
        make_folder(folder)
