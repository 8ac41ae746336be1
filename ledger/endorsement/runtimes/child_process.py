"""One operating-system process that runs a chaincode: its socket, its log, its shared page."""

import asyncio
import logging
import mmap
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from ledger.endorsement.limits import ProcessLimits

log = logging.getLogger(__name__)

RUNTIME_MODULE = "chaincode.shim.runtime_process"
PAGE_BYTES = 4096
# The page as the child writes it: resumptions, length of the id (0: idle), id.
PAGE_HEAD = struct.Struct("<QB")
FRAME_LENGTH = struct.Struct(">I")
INHERITED_VARIABLES = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TZ")


@dataclass(frozen=True, slots=True)
class ChaincodeProgram:
    """What to run: contracts in an importable module, under a chaincode's name and version."""

    name: str
    version: str
    module: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables of the process."""
    code: Path | None = None
    """Folder of an unpacked package whose modules come before all others."""

    @property
    def chaincode_id(self) -> str:
        """What the process registers as."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class PageReading:
    """What the child was doing; `tx_id` is empty when it waited for its peer."""

    resumptions: int
    tx_id: str


class FrameProtocol(asyncio.Protocol):
    """Length-prefixed frames both ways; what one batch of input causes is one write."""

    def __init__(
        self,
        *,
        frame_bytes_max: int,
        on_frames: Callable[[list[bytes]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._frame_bytes_max = frame_bytes_max
        self._on_frames = on_frames
        self._on_lost = on_lost
        self._rest = b""
        self._outgoing: list[bytes] = []
        self._flush_planned = False
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        # uvloop's transports are not registered as asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand over all whole frames at once."""
        received = self._rest + data if self._rest else data
        frames, start, available = [], 0, len(received)
        while available - start >= FRAME_LENGTH.size:
            (length,) = FRAME_LENGTH.unpack_from(received, start)
            end = start + FRAME_LENGTH.size + length
            if length > self._frame_bytes_max:
                log.error("a chaincode sent a frame of %d bytes; its process is ended", length)
                self.abort()
                return
            if end > available:
                break
            frames.append(received[start + FRAME_LENGTH.size : end])
            start = end
        self._rest = received[start:]
        if frames:
            self._on_frames(frames)
            self._flush()

    def send(self, message: bytes) -> None:
        """Send with everything else of this turn of the event loop."""
        self._outgoing += (FRAME_LENGTH.pack(len(message)), message)
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush)

    def abort(self) -> None:
        """Drop the connection and what is not sent."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection when everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._transport = None
        self._on_lost()

    def _flush(self) -> None:
        self._flush_planned = False
        if self._outgoing and self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()


class ChildProcess:
    """A started process; `kill` is certain, and `wait` reaps it."""

    def __init__(self, program: ChaincodeProgram, limits: ProcessLimits) -> None:
        """Start it; OSError if the system has no processes or files left."""
        self._page_fd = os.memfd_create(f"running-{program.name}", os.MFD_CLOEXEC)
        os.ftruncate(self._page_fd, PAGE_BYTES)
        self._page = mmap.mmap(self._page_fd, PAGE_BYTES)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003 - the library's signature
        self.socket = ours
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                _command(program, limits, theirs.fileno(), self._page_fd),
                env=_environment(program),
                pass_fds=(theirs.fileno(), self._page_fd),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError:
            ours.close()
            self._page.close()
            os.close(self._page_fd)
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def errors(self) -> IO[bytes]:
        """The reading end of the process's standard error."""
        assert self._process.stderr is not None
        return self._process.stderr

    def page(self) -> PageReading:
        """What the child is doing, or was when it died."""
        resumptions, length = PAGE_HEAD.unpack_from(self._page)
        raw = self._page[PAGE_HEAD.size : PAGE_HEAD.size + length]
        return PageReading(resumptions, raw.decode("utf-8", "replace"))

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._process.kill()

    def wait(self) -> int:
        """Block until it has ended; its exit status (negative: the signal)."""
        return self._process.wait()

    def close(self, *, with_errors: bool, with_socket: bool) -> None:
        """Release the shared page, and of the rest what was not handed to the event loop."""
        self._page.close()
        os.close(self._page_fd)
        if with_errors:
            self.errors.close()
        if with_socket:
            self.socket.close()


class LogRelay(asyncio.Protocol):
    """Passes a child's lines to our log, bounded: a contract cannot fill a disk by printing."""

    def __init__(self, name: str, limits: ProcessLimits) -> None:
        self._name = name
        self._limits = limits
        self._rest = b""
        self._second = 0
        self._lines = 0

    def data_received(self, data: bytes) -> None:
        """Log whole lines; a longer one in pieces."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._limits.log_line_bytes_max:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._log(line)

    def eof_received(self) -> None:
        """Log what is left."""
        if self._rest:
            self._log(self._rest)

    def _log(self, line: bytes) -> None:
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > self._limits.log_lines_per_second:
            return
        if self._lines == self._limits.log_lines_per_second:
            log.warning("chaincode %s logs too much; lines are dropped", self._name)
            return
        text = line[: self._limits.log_line_bytes_max].decode("utf-8", "replace")
        log.info("chaincode %s: %s", self._name, text)


def _command(
    program: ChaincodeProgram, limits: ProcessLimits, socket_fd: int, page_fd: int
) -> list[str]:
    return [
        sys.executable,
        "-m",
        RUNTIME_MODULE,
        *("--fd", str(socket_fd)),
        *("--page-fd", str(page_fd)),
        *("--parent", str(os.getpid())),
        *("--module", program.module),
        *(() if program.code is None else ("--code", str(program.code))),
        *("--chaincode-id", program.chaincode_id),
        *("--memory-bytes", str(limits.memory_bytes)),
    ]


def _environment(program: ChaincodeProgram) -> dict[str, str]:
    """No secrets of the peer, and nothing a contract could depend on by accident."""
    inherited = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    # One allocation arena: further ones reserve address space that counts against the limit.
    return {**inherited, "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1", **program.environment}
