"""Whether an update is the community's: its manifest, signed with the update key.

    {"v":1,"version":"1.1.0","url":"https://gateway.example/firmware/1.1.0",
     "files":"<sha256 hex of URL/files.txt>","sig":"<base64 DER>"}

`sig` is by the community's update key (P-256) over `gridledger-firmware-1|version|url|files`;
nothing is fetched before it fits.
"""

import binascii
import hashlib
import json

from meternode import ecdsa, p256

MANIFEST_BYTES_MAX = 1_024


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


def check_manifest(raw, hex_key, running_version):
    """The manifest in a message of `ota`; raises `BadUpdate`. `hex_key` as in config.json."""
    return p256.finished(check_steps(raw, hex_key, running_version))


def check_steps(raw, hex_key, running_version):
    """The same in steps, between which a node samples and feeds its watchdog."""
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
    try:
        point = p256.decode_point(binascii.unhexlify(hex_key))
    except ValueError:
        raise BadUpdate("update_key of config.json") from None
    is_signed = yield from ecdsa.verify_steps(point, digest, r, s)
    if not is_signed:
        raise BadUpdate("signature")
    if not is_newer:
        raise BadUpdate("not newer")
    return Manifest(version, url, files)


def version_number(version):
    """`1.10.2` as `(1, 10, 2)`, so that versions compare as numbers."""
    return tuple([int(part) for part in version.split(".")])
