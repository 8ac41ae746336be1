"""A new application over the air: a signed manifest, the idle folder of two, and a way back.

    {"v":1,"version":"1.1.0","url":"https://gateway.example/firmware/1.1.0",
     "files":"<sha256 hex of URL/files.txt>","sig":"<base64 DER>"}

`sig` is the community's update key (P-256) over `gridledger-firmware-1|version|url|files`; nothing
is fetched before it fits. `files.txt` has a line `path|size|sha256` for each file; it is kept on
flash and read line by line, since a node in use has no room for it in memory. The new folder is
started a few times at most until it has delivered a reading to the gateway (`confirm`); otherwise
`main.py` goes back to the old one.
"""

import binascii
import hashlib
import json
import os

from meternode import ecdsa, p256
from meternode.flash import make_folder

MANIFEST_BYTES_MAX = 1_024
LIST_BYTES_MAX = 16_384
LINE_BYTES_MAX = 160
FILES_MAX = 60
LIST = "files.txt"
FILE_BYTES_MAX = 32_768
TRIES = 3
SLOTS = ("a", "b")


class BadUpdate(Exception):  # noqa: N818 - the sender's fault
    """A manifest or file that is not installed, and why."""


class Manifest:
    """A checked manifest."""

    def __init__(self, version, url, files):
        self.version = version
        self.url = url
        self.files = files


def signed_line(version, url, files):
    """The bytes the update key signs."""
    return f"gridledger-firmware-1|{version}|{url}|{files}".encode()


def check_manifest(raw, update_point, running_version):
    """The manifest in a message of `ota`; raises `BadUpdate`. `update_point` is (x, y)."""
    if len(raw) > MANIFEST_BYTES_MAX:
        raise BadUpdate("too large")
    try:
        content = json.loads(raw)
        version, url, files = content["version"], content["url"], content["files"]
        r, s = ecdsa.decode_signature(binascii.a2b_base64(content["sig"]))
        digest = hashlib.sha256(signed_line(version, url, files)).digest()
        is_newer = version_number(version) > version_number(running_version)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadUpdate("malformed") from None
    if not ecdsa.verify_digest(update_point, digest, r, s):
        raise BadUpdate("signature")
    if not is_newer:
        raise BadUpdate("not newer")
    return Manifest(version, url, files)


def version_number(version):
    """`1.10.2` as `(1, 10, 2)`, so that versions compare as numbers."""
    return tuple([int(part) for part in version.split(".")])


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


def confirm(root):
    """The running application has proved itself; True when that was news."""
    slot = read_slot(root)
    if slot["confirmed"]:
        return False
    write_slot(root, {"active": slot["active"], "confirmed": True, "tries": 0})
    return True


def read_slot(root):
    """The content of `slot.json`, as `main.py` reads it."""
    try:
        with open(root + "slot.json") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {"active": "a", "confirmed": True, "tries": 0}


def write_slot(root, slot):
    """Replace `slot.json` in one step."""
    with open(root + "slot.json.new", "w") as file:
        json.dump(slot, file)
    os.rename(root + "slot.json.new", root + "slot.json")


def erase(path):
    """Remove a folder with all it holds; nothing when there is none."""
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        inner = path + "/" + name
        if os.stat(inner)[0] & 0x4000:
            erase(inner)
        else:
            os.remove(inner)
    os.rmdir(path)


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


def update_point(hex_key):
    """The update key of config.json: an uncompressed point in hex."""
    return p256.decode_point(binascii.unhexlify(hex_key))
