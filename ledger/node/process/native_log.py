"""What gRPC's own code prints, in our log: in plain words, a few lines a minute of each kind.

It prints a line for every failed TLS handshake, so that whoever can reach a port could fill the
disk. Its standard error goes to a small file, which is read once a second and emptied; what it
printed in its last moment is still there when the process starts again.
"""

import asyncio
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

NATIVE_LOG_FILE = "native.log"
LOOK_INTERVAL_S = 1.0
LINES_OF_A_KIND_MAX = 5
"""In one minute; the others are counted."""
MINUTE_MS = 60_000
KINDS_MAX = 50
BYTES_READ_MAX = 1024 * 1024
"""At one look; what is beyond is dropped."""
OTHERS = "more kinds of messages than are kept apart"
STANDARD_ERROR = 2
PRIVATE_FILE_MODE = 0o600

_PREFIX = re.compile(r"^[IWEF]\d{4} [^\]]*\] ")
_PLAIN = (
    ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "a TLS handshake failed: no certificate was shown"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "a TLS handshake failed: the certificate shown is none that counts here",
    ),
    ("WRONG_VERSION_NUMBER", "a TLS handshake failed: the other side does not speak TLS"),
    ("HTTP_REQUEST", "a TLS handshake failed: the other side does not speak TLS"),
    ("No match found for server name", "a TLS handshake asked for the key of somebody else"),
)


@dataclass(slots=True)
class _Kind:
    """Messages that say the same."""

    begun_ms: int
    """When its minute began."""
    told: int = 0
    untold: int = 0


class NativeLog:
    """Reads and empties the file; belongs to the event loop."""

    def __init__(self, path: Path, steady_ms: Callable[[], int]) -> None:
        """Raises OSError when the file cannot be opened."""
        self._steady_ms = steady_ms
        self._kinds: dict[str, _Kind] = {}
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self.descriptor = os.open(path, flags, PRIVATE_FILE_MODE)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_INTERVAL_S)

    def look(self) -> None:
        """Log what is new, and what was only counted in minutes that are over."""
        now_ms = self._steady_ms()
        for kind, state in list(self._kinds.items()):
            if now_ms - state.begun_ms >= MINUTE_MS:
                if state.untold:
                    log.warning("%s (%d times more)", kind, state.untold)
                del self._kinds[kind]
        for line in self._lines():
            self._tell(in_plain_words(line), now_ms)

    def _tell(self, kind: str, now_ms: int) -> None:
        if kind not in self._kinds and len(self._kinds) >= KINDS_MAX:
            kind = OTHERS
        state = self._kinds.setdefault(kind, _Kind(now_ms))
        if state.told < LINES_OF_A_KIND_MAX:
            state.told += 1
            log.warning("%s", kind)
        else:
            state.untold += 1

    def _lines(self) -> list[str]:
        raw = os.pread(self.descriptor, BYTES_READ_MAX, 0)
        if raw:
            os.ftruncate(self.descriptor, 0)
        return [line for line in raw.decode("utf-8", "replace").splitlines() if line.strip()]


def in_plain_words(line: str) -> str:
    """One line of gRPC's without its time, or what it means."""
    for words, plain in _PLAIN:
        if words in line:
            return plain
    return _PREFIX.sub("gRPC: ", line)


def take_over(folder: Path, steady_ms: Callable[[], int]) -> NativeLog:
    """Lead this process's standard error into a file of the folder; raises OSError.

    Python's own `sys.stderr` must lead elsewhere by then.
    """
    native = NativeLog(folder / NATIVE_LOG_FILE, steady_ms)
    os.dup2(native.descriptor, STANDARD_ERROR)
    return native
