"""Putting data out of the way without losing it: renamed, never deleted."""

import itertools
from pathlib import Path

from ledger.errors import NodeFault
from ledger.storage.files import DiskFiles, Files

DAMAGED = "damaged"
HEALTHY = "set-aside"


def set_aside(path: Path, *, files: Files | None = None, what: str = DAMAGED) -> Path:
    """Rename a file or folder to `<name>.<what>-<n>`, durably; returns the new path."""
    disk: Files = files or DiskFiles()
    numbered = (path.with_name(f"{path.name}.{what}-{n}") for n in itertools.count(1))
    try:
        kept = next(candidate for candidate in numbered if not disk.exists(candidate))
        disk.rename(path, kept)
        disk.sync_folder(path.parent)
    except OSError as error:
        raise NodeFault(f"cannot set {path} aside: {error}") from error
    return kept
