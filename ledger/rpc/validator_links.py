"""This validator's outgoing streams, one to every other validator.

Requests and consensus messages leave on them; the answers come back on the same stream. The
other side's requests arrive at `ledger.rpc.validator_service`.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import grpc
from grpc import aio

from ledger.errors import InvalidMessage
from ledger.rpc.frames import FrameWriter, decode_frame
from ledger.rpc.link_news import LinkNews, in_plain_words
from ledger.rpc.misbehaviour import RejectionHandler, nobody_counts
from ledger.rpc.transport import EXCHANGE_METHOD, identity_bytes
from ledger.wire.validator_pb2 import Item

RECONNECT_BACKOFF_MS_MIN = 100
RECONNECT_BACKOFF_MS_MAX = 1_000
PROBE_TIMEOUT_S = 1.0
"""Asking a channel that cannot connect why not is answered at once."""


@dataclass(frozen=True, slots=True)
class LinkHandlers:
    """What the node does with a link's news; `int` is the consenter id of the other side."""

    on_item: Callable[[int, Item], None]
    on_connected: Callable[[int], None]
    on_disconnected: Callable[[int], None]
    on_rejected: RejectionHandler = nobody_counts
    """A frame that cannot be read."""
    is_barred: Callable[[int], bool] = lambda _consenter_id: False
    """Whether the other side sent too many unreadable messages; no stream is opened then."""


class ValidatorLink:
    """One outgoing stream that reconnects for as long as the node runs."""

    def __init__(self, consenter_id: int, channel: aio.Channel) -> None:
        self.consenter_id = consenter_id
        self.connected = False
        self._was_connected = False
        self._news = LinkNews(f"consenter {consenter_id}")
        self._channel = channel
        self._writer = FrameWriter()
        self._cut = asyncio.Event()

    def send(self, item: Item) -> bool:
        """Queue an item; false when the link is down or does not keep up."""
        return self.connected and self._writer.send(item)

    def cut(self) -> None:
        """End the stream of now; whether there is another one is the handlers' to say."""
        self._cut.set()

    async def run(self, handlers: LinkHandlers) -> None:
        """Keep the stream open until cancelled; the channel is closed then."""
        try:
            await self._keep_open(handlers)
        finally:
            await self._channel.close()

    async def _keep_open(self, handlers: LinkHandlers) -> None:
        backoff_ms = RECONNECT_BACKOFF_MS_MIN
        while True:
            self._was_connected = False
            try:
                await self._ready()
                if not handlers.is_barred(self.consenter_id):
                    await self._exchange(handlers)
            except (aio.AioRpcError, asyncio.InvalidStateError) as error:
                if not self._was_connected:
                    self._news.failed(_reason(error))
            if self._was_connected:
                backoff_ms = RECONNECT_BACKOFF_MS_MIN
            await asyncio.sleep(backoff_ms / 1000)
            backoff_ms = min(backoff_ms * 2, RECONNECT_BACKOFF_MS_MAX)

    async def _ready(self) -> None:
        """Return once the channel is connected; tell why while it cannot be."""
        ready, failing = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE
        while (state := self._channel.get_state(try_to_connect=True)) is not ready:
            if state is failing:
                await self._tell_failure()
            await self._channel.wait_for_state_change(state)

    async def _tell_failure(self) -> None:
        call = self._open(timeout_s=PROBE_TIMEOUT_S)
        try:
            await call.initial_metadata()
            if call.done():
                self._news.failed(in_plain_words(await call.details()))
        except aio.AioRpcError as error:
            self._news.failed(_reason(error))
        finally:
            call.cancel()

    def _open(self, timeout_s: float | None = None) -> aio.StreamStreamCall[bytes, bytes]:
        return self._channel.stream_stream(
            EXCHANGE_METHOD,
            request_serializer=identity_bytes,
            response_deserializer=identity_bytes,
        )(timeout=timeout_s)

    async def _exchange(self, handlers: LinkHandlers) -> None:
        call = self._open()
        self._cut.clear()
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self._writer.run(call.write)),
            asyncio.create_task(self._cut.wait()),
        ]
        try:
            # The server sends its initial metadata once it has accepted our certificate.
            await call.initial_metadata()
            if call.done():  # refused: there is a status instead of a stream
                self._news.failed(in_plain_words(await call.details()))
                return
            self._set_connected(handlers)
            tasks.append(asyncio.create_task(self._read(call, handlers)))
            # A stream that can only be read or only be written is of no use.
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            call.cancel()
            self._set_disconnected(handlers)
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(
        self, call: aio.StreamStreamCall[bytes, bytes], handlers: LinkHandlers
    ) -> None:
        while (raw := await call.read()) is not grpc.aio.EOF:
            self._receive(raw, handlers)

    def _receive(self, raw: bytes, handlers: LinkHandlers) -> None:
        try:
            frame = decode_frame(raw)
        except InvalidMessage as error:
            handlers.on_rejected(self.consenter_id, error)
            return
        for item in frame.items:
            handlers.on_item(self.consenter_id, item)

    def _set_connected(self, handlers: LinkHandlers) -> None:
        self.connected = self._was_connected = True
        self._news.connected()
        handlers.on_connected(self.consenter_id)

    def _set_disconnected(self, handlers: LinkHandlers) -> None:
        if not self.connected:
            return
        self.connected = False
        self._writer.clear()
        self._news.lost()
        handlers.on_disconnected(self.consenter_id)


def _reason(error: Exception) -> str:
    details = error.details() if isinstance(error, aio.AioRpcError) else None
    return in_plain_words(details or str(error))


class ValidatorLinks:
    """All outgoing links of this validator; links come and go with the channel's validators."""

    def __init__(self, links: Iterable[ValidatorLink] = ()) -> None:
        self._links = {link.consenter_id: link for link in links}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._running: _Running | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        """Consenter ids that links lead to, ascending."""
        return tuple(sorted(self._links))

    def is_connected(self, consenter_id: int) -> bool:
        """Whether the validator can be reached now."""
        link = self._links.get(consenter_id)
        return link is not None and link.connected

    def put(self, link: ValidatorLink) -> None:
        """Add a link, in place of an earlier one to the same consenter."""
        self.drop(link.consenter_id)
        self._links[link.consenter_id] = link
        if self._running is not None:
            self._start(link, self._running)

    def drop(self, consenter_id: int) -> None:
        """End the link to a consenter, if there is one."""
        self._links.pop(consenter_id, None)
        task = self._tasks.pop(consenter_id, None)
        if task is not None:
            task.cancel()

    def cut(self, consenter_id: int) -> None:
        """End the stream to a consenter; the link stays."""
        link = self._links.get(consenter_id)
        if link is not None:
            link.cut()

    @property
    def connected_ids(self) -> tuple[int, ...]:
        """Consenter ids that can be reached now, ascending."""
        return tuple(sorted(i for i, link in self._links.items() if link.connected))

    def send(self, consenter_id: int, item: Item) -> bool:
        """Queue an item for one validator; false when it cannot be reached."""
        link = self._links.get(consenter_id)
        return link is not None and link.send(item)

    def broadcast(self, item: Item) -> None:
        """Queue an item for every validator that can be reached."""
        for link in self._links.values():
            link.send(item)

    async def run(self, handlers: LinkHandlers) -> None:
        """Run every link, present and to come, until cancelled or one fails beyond repair."""
        running = _Running(handlers, asyncio.get_running_loop().create_future())
        self._running = running
        for link in self._links.values():
            self._start(link, running)
        try:
            await running.failed
        finally:
            self._running = None
            tasks = list(self._tasks.values())
            self._tasks.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, link: ValidatorLink, running: "_Running") -> None:
        task = asyncio.get_running_loop().create_task(link.run(running.handlers))
        self._tasks[link.consenter_id] = task
        task.add_done_callback(running.ended)


@dataclass(frozen=True, slots=True)
class _Running:
    """Links at work, and how the first failure among them comes out."""

    handlers: LinkHandlers
    failed: asyncio.Future[None]

    def ended(self, task: asyncio.Task[None]) -> None:
        """A link ends only when it is cancelled; anything else is a fault of this node."""
        if not task.cancelled() and not self.failed.done():
            error = task.exception()
            assert error is not None, "a link does not end by itself"
            self.failed.set_exception(error)
