"""Reading keys and certificates from disk."""

import stat
from pathlib import Path

from ledger.errors import NodeFault

KEY_FILE_BYTES_MAX = 64 * 1024


def read_private_key(path: Path) -> bytes:
    """A key file's bytes; raises NodeFault when others than the owner may read it."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise NodeFault(f"{path} may be read by others (mode {mode:o}); run: chmod 600 {path}")
    return read_bounded(path)


def read_bounded(path: Path) -> bytes:
    """A small file's bytes."""
    if path.stat().st_size > KEY_FILE_BYTES_MAX:
        raise NodeFault(f"{path} is larger than {KEY_FILE_BYTES_MAX} bytes")
    return path.read_bytes()
