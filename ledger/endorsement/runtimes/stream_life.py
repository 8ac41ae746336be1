"""One stream to a chaincode that others run: from opening it to its end.

Which transaction ended a stream cannot be seen from here, so all in it fail, as in Fabric. What
carries the messages is given: `ledger.rpc` has a service the peer dials and one that dials in.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from ledger.endorsement.limits import StreamLimits
from ledger.endorsement.runtimes.chaincode_life import (
    STREAM_TERMINATED,
    TIMEOUT_EXPIRED,
    WATCH_INTERVAL_MS,
    ChaincodeLife,
    Ending,
    LifeParts,
)
from ledger.endorsement.runtimes.peer_session import StreamBroken
from ledger.wire.protos_pb2 import ChaincodeMessage

log = logging.getLogger(__name__)

KEEPALIVE = ChaincodeMessage(type=ChaincodeMessage.KEEPALIVE).SerializeToString()


class MessageStream(Protocol):
    """Messages of one chaincode, one after another; StreamBroken when it fails."""

    async def read(self) -> bytes | None:
        """The next message; None at the end."""
        ...

    async def write(self, message: bytes) -> None:
        """Send one message; not called again before it returns."""
        ...


OpenStream = Callable[[], AbstractAsyncContextManager[MessageStream]]
"""Waits for a stream and closes it at the end; StreamBroken when there is none to be had."""


class StreamLife(ChaincodeLife):
    """Runs one stream; `run` returns when it has ended."""

    def __init__(
        self, chaincode_id: str, open_stream: OpenStream, limits: StreamLimits, parts: LifeParts
    ) -> None:
        super().__init__(chaincode_id, parts)
        self._chaincode_id = chaincode_id
        self._open = open_stream
        self._limits = limits
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._has_unsent = asyncio.Event()
        self._has_room = asyncio.Event()
        self._opened_at: float | None = None
        self._heard_at = 0.0
        self._is_asked = False

    async def run(self) -> Ending:
        """See `ChaincodeLife.run`."""
        reason = "it ended the stream"
        try:
            await _until_one_ends(self._serve(), self._watch())
        except StreamBroken as error:
            reason = str(error)
        if not self.is_ready:
            return Ending(self._absence(reason), was_ready=False)
        log.warning("chaincode %s: %s (%s)", self._chaincode_id, STREAM_TERMINATED, reason)
        return Ending(STREAM_TERMINATED, was_ready=True)

    async def _serve(self) -> None:
        async with self._open() as stream:
            self._opened_at = self._heard_at = asyncio.get_running_loop().time()
            await _until_one_ends(self._read(stream), self._write(stream))

    async def _read(self, stream: MessageStream) -> None:
        while (raw := await stream.read()) is not None:
            self._heard_at = asyncio.get_running_loop().time()
            self._is_asked = False
            for answer in self._session.receive(raw):
                self._send(answer)
            while self._unsent_bytes > self._limits.unsent_bytes_max:
                self._has_room.clear()
                await self._has_room.wait()

    async def _write(self, stream: MessageStream) -> None:
        while True:
            await self._has_unsent.wait()
            self._has_unsent.clear()
            while self._unsent:
                message = self._unsent.popleft()
                await stream.write(message)
                self._unsent_bytes -= len(message)
                self._has_room.set()

    def _send(self, message: bytes) -> None:
        self._unsent.append(message)
        self._unsent_bytes += len(message)
        self._has_unsent.set()

    # -- time -------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Look now and then whether something takes too long."""
        while True:
            await asyncio.sleep(WATCH_INTERVAL_MS / 1000)
            now = asyncio.get_running_loop().time()
            if self.is_ready:
                self._expire(now, self._limits.transaction_timeout_ms, TIMEOUT_EXPIRED)
                self._keep_alive(now)
            else:
                self._check_registration(now)

    def _check_registration(self, now: float) -> None:
        text = self._absence("it is not connected to this peer")
        self._expire(now, self._limits.absence_timeout_ms, text)
        timeout_ms = self._limits.start_timeout_ms
        if self._opened_at is not None and now - self._opened_at > timeout_ms / 1000:
            raise StreamBroken(f"it did not register within {timeout_ms} ms")

    def _keep_alive(self, now: float) -> None:
        interval_ms = self._limits.keepalive_ms
        if not interval_ms or now - self._heard_at < interval_ms / 1000:
            return
        if not self._is_asked:
            self._is_asked = True
            self._send(KEEPALIVE)
        elif now - self._heard_at > 2 * interval_ms / 1000:
            raise StreamBroken(f"it said nothing for {2 * interval_ms} ms")

    def _absence(self, reason: str) -> str:
        return f"could not launch chaincode {self._chaincode_id}: {reason}"


async def _until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends, end the others, and raise what that one raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()
