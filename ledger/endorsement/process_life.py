"""One process of a chaincode from start to end, however it ends, and whom to blame for it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ledger.endorsement.child_process import (
    ChaincodeProgram,
    ChildProcess,
    FrameProtocol,
    LogRelay,
    PageReading,
)
from ledger.endorsement.limits import ProcessLimits
from ledger.endorsement.peer_session import (
    Execution,
    ExecutionFailed,
    Key,
    PeerSession,
    RunningTransaction,
    StreamBroken,
)
from ledger.endorsement.shim_handler import ChaincodeCall

log = logging.getLogger(__name__)

WATCH_INTERVAL_MS = 100
STREAM_TERMINATED = "chaincode stream terminated"
TIMEOUT_EXPIRED = "timeout expired while executing transaction"


class WaitingTransaction(RunningTransaction):
    """A transaction whose caller awaits `future`."""

    __slots__ = ("begun_at", "future")

    def __init__(
        self, future: asyncio.Future[Execution], begun_at: float, **transaction: Any
    ) -> None:
        super().__init__(on_done=self._done, **transaction)
        self.future = future
        self.begun_at = begun_at

    def fail(self, text: str) -> None:
        """End it without a result."""
        tx_id = self.proposal.tx_id
        self._done(ExecutionFailed(f"failed to execute transaction {tx_id}: {text}"))

    def _done(self, outcome: Execution | ExecutionFailed) -> None:
        if self.future.done():
            return
        if isinstance(outcome, ExecutionFailed):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended: the transaction it was running (empty: none) and its fate's text."""

    blamed_tx_id: str
    text: str
    was_ready: bool


class ProcessLife:
    """Runs one process; `run` returns when it has ended and is reaped."""

    def __init__(
        self,
        program: ChaincodeProgram,
        limits: ProcessLimits,
        *,
        in_flight: Mapping[Key, WaitingTransaction],
        on_ready: Callable[[], None],
        on_call: Callable[[RunningTransaction, ChaincodeCall], None],
    ) -> None:
        """OSError if the system cannot start a process."""
        self._program = program
        self._limits = limits
        self._in_flight = in_flight
        self._announce_ready = on_ready
        self._lost = asyncio.Event()
        self._session = PeerSession(program.chaincode_id, on_ready=self._on_ready, on_call=on_call)
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

    def begin(self, transaction: WaitingTransaction) -> None:
        """Send a transaction; before registration it waits for `begin_all`."""
        if self._session.is_ready and not self._session.is_running(transaction.key):
            self._stream.send(self._session.begin(transaction))

    def forget(self, key: Key) -> None:
        """Nobody waits for this transaction any more."""
        self._session.forget(key)

    def answer_call(self, transaction: RunningTransaction, outcome: Execution | str) -> None:
        """Give a contract the answer of the chaincode it called, if it is still there."""
        if self._session.is_running(transaction.key):
            self._stream.send(self._session.call_answered(transaction, outcome))

    async def run(self) -> Ending:
        """Until the process has ended; cancelling ends it."""
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
        return Ending(reading.tx_id, self._blame_text, self._session.is_ready)

    def _on_ready(self) -> None:
        # After REGISTERED and READY, which leave in this turn of the event loop.
        asyncio.get_running_loop().call_soon(self._announce_ready)

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
        oldest = now - self._limits.transaction_timeout_ms / 1000
        for transaction in list(self._in_flight.values()):
            if transaction.begun_at > oldest:
                break
            transaction.fail(TIMEOUT_EXPIRED)
            if self._heard_at < oldest:
                self._child.kill()  # it says nothing at all
