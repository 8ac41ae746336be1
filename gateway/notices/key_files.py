"""Secrets of this gateway's own beside its settings: made once, 0600, and shared by replicas."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def kept_secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds; made first if there is none. Raises `OSError`.

    Of two processes that start together one makes it and both have the same: the file appears
    whole or not at all.
    """
    with suppress(FileNotFoundError):
        return path.read_bytes()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink()
    return path.read_bytes()
