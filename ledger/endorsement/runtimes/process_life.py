"""One process of a chaincode from start to end, however it ends, and whom to blame for it."""

import asyncio
import logging
from typing import Any, cast

from ledger.endorsement.limits import ProcessLimits
from ledger.endorsement.runtimes.chaincode_life import (
    STREAM_TERMINATED,
    TIMEOUT_EXPIRED,
    WATCH_INTERVAL_MS,
    ChaincodeLife,
    Ending,
    LifeParts,
)
from ledger.endorsement.runtimes.child_process import (
    ChaincodeProgram,
    ChildProcess,
    FrameProtocol,
    LogRelay,
    PageReading,
)
from ledger.endorsement.runtimes.peer_session import StreamBroken

log = logging.getLogger(__name__)


class ProcessLife(ChaincodeLife):
    """Runs one process; `run` returns when it has ended and is reaped."""

    def __init__(self, program: ChaincodeProgram, limits: ProcessLimits, parts: LifeParts) -> None:
        """OSError if the system cannot start a process."""
        super().__init__(program.chaincode_id, parts)
        self._program = program
        self._limits = limits
        self._lost = asyncio.Event()
        self._stream = FrameProtocol(
            frame_bytes_max=limits.frame_bytes_max,
            on_frames=self._on_frames,
            on_lost=self._lost.set,
        )
        self._log_attached = self._stream_attached = False
        self._blame_text = STREAM_TERMINATED
        now = asyncio.get_running_loop().time()
        self._heard_at = now
        self._seen = PageReading(0, "")
        self._seen_since = now
        self._child = ChildProcess(program, limits)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    async def run(self) -> Ending:
        """See `ChaincodeLife.run`; the process is reaped then."""
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_read_pipe(
                lambda: LogRelay(self._program.name, self._limits),
                cast("Any", self._child.errors),
            )
            self._log_attached = True
            await loop.create_unix_connection(lambda: self._stream, sock=self._child.socket)
            self._stream_attached = True
            await self._watch()
        finally:
            ending = await self._end()
        return ending

    async def _watch(self) -> None:
        """Until the stream ends; look now and then whether something takes too long."""
        while not self._lost.is_set():
            try:
                await asyncio.wait_for(self._lost.wait(), WATCH_INTERVAL_MS / 1000)
            except TimeoutError:
                if self._in_flight:
                    self._check_time()

    async def _end(self) -> Ending:
        self._stream.close()
        if not self._stream_attached:
            self._child.kill()  # nothing would tell it to end
        ended = asyncio.get_running_loop().run_in_executor(None, self._child.wait)
        try:
            # It may still be writing why it ends.
            await asyncio.wait((ended,), timeout=self._limits.stop_timeout_ms / 1000)
        finally:
            self._child.kill()
            status = await ended
        reading = self._child.page()
        self._child.close(
            with_errors=not self._log_attached, with_socket=not self._stream_attached
        )
        log.log(
            logging.INFO if status == 0 else logging.WARNING,
            "chaincode %s ended with status %d while running %s",
            self._program.chaincode_id,
            status,
            reading.tx_id or "nothing",
        )
        return Ending(self._blame_text, self.is_ready, reading.tx_id)

    def _send(self, message: bytes) -> None:
        self._stream.send(message)

    def _on_frames(self, frames: list[bytes]) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        try:
            for frame in frames:
                for answer in self._session.receive(frame):
                    self._stream.send(answer)
        except StreamBroken as error:
            log.error("chaincode %s: %s", self._program.name, error)  # noqa: TRY400 - no traceback
            self._child.kill()

    def _check_time(self) -> None:
        now = asyncio.get_running_loop().time()
        reading = self._child.page()
        if reading != self._seen:
            self._seen, self._seen_since = reading, now
        elif reading.tx_id and now - self._seen_since > self._limits.execute_timeout_ms / 1000:
            self._blame_text = TIMEOUT_EXPIRED
            self._child.kill()
            return
        timeout_ms = self._limits.transaction_timeout_ms
        if (
            self._expire(now, timeout_ms, TIMEOUT_EXPIRED)
            and now - self._heard_at > timeout_ms / 1000
        ):
            self._child.kill()  # it says nothing at all
