"""Reading keys from disk: only from files nobody but their owner can read."""

import os
import stat
from pathlib import Path

from ledger.crypto.signing import Signer, SigningIdentity
from ledger.errors import InvalidMessage, NodeFault

KEY_BYTES_MAX = 16 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_private_file(path: Path) -> bytes:
    """Content of a secret file; NodeFault names the path when it is missing or exposed."""
    try:
        with path.open("rb") as file:
            # Of the open file, so that it cannot be exchanged between the check and the read.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & _OTHERS:
                raise NodeFault(
                    f"{path} has mode {mode:04o}: others may read the key. Run: chmod 600 {path}"
                )
            content = file.read(KEY_BYTES_MAX + 1)
    except OSError as error:
        raise NodeFault(f"cannot read the key {path}: {error.strerror}") from error
    if len(content) > KEY_BYTES_MAX:
        raise NodeFault(f"{path} is larger than {KEY_BYTES_MAX} bytes, which no key is")
    return content


def load_signer(key: Path) -> Signer:
    """Signer from a PEM key file of mode 0600; NodeFault names the path and what is wrong."""
    pem = read_private_file(key)
    try:
        return Signer(pem)
    except NodeFault as error:
        raise NodeFault(f"{key}: {error}") from error


def load_signing_identity(mspid: str, certificate: Path, key: Path) -> SigningIdentity:
    """A member's identity from its certificate and key files; the two must belong together."""
    signer = load_signer(key)
    try:
        identity = SigningIdentity(mspid, certificate.read_bytes(), signer)
    except OSError as error:
        raise NodeFault(f"cannot read the certificate {certificate}: {error.strerror}") from error
    try:
        matches = identity.key_matches()
    except InvalidMessage as error:
        raise NodeFault(f"{certificate}: {error.detail}") from error
    if not matches:
        raise NodeFault(f"{key} is not the key of {certificate}")
    return identity
