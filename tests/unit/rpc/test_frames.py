"""Items share frames in order, within bounds."""

import asyncio

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.rpc import frames
from ledger.rpc.frames import FrameWriter, decode_frame
from ledger.wire.validator_pb2 import Frame, Item, Status

pytestmark = pytest.mark.anyio


class Stream:
    """The write side of a stream; `open` lets a write end."""

    def __init__(self) -> None:
        self.frames: list[list[Item]] = []
        self.open = asyncio.Event()
        self.open.set()
        self._more = asyncio.Event()

    async def write(self, raw: bytes) -> None:
        self.frames.append(list(decode_frame(raw).items))
        self._more.set()
        await self.open.wait()

    async def until(self, count: int) -> list[list[Item]]:
        async with asyncio.timeout(60):
            while len(self.frames) < count:
                self._more.clear()
                await self._more.wait()
        return self.frames


@pytest.fixture
async def stream():
    return Stream()


@pytest.fixture
async def writer(stream):
    made = FrameWriter()
    task = asyncio.create_task(made.run(stream.write))
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def status(height: int) -> Item:
    return Item(status=Status(height=height))


def vote(raw: bytes) -> Item:
    return Item(consensus_message=raw)


async def test_a_lone_item_leaves_alone(stream, writer):
    writer.send(status(1))
    assert await stream.until(1) == [[status(1)]]


async def test_what_waits_during_a_write_shares_the_next_frame(stream, writer):
    stream.open.clear()
    writer.send(vote(b"1"))
    await stream.until(1)
    for raw in (b"2", b"3", b"4"):
        writer.send(vote(raw))
    stream.open.set()
    assert await stream.until(2) == [[vote(b"1")], [vote(b"2"), vote(b"3"), vote(b"4")]]


async def test_a_vote_takes_along_what_waits_before_it(stream, writer, monkeypatch):
    writer.send(status(1))
    await stream.until(1)
    writer.send(status(2))  # within the window after the first: would wait
    writer.send(vote(b"v"))
    assert (await stream.until(2))[1] == [status(2), vote(b"v")]


async def test_frames_are_bounded_in_bytes(stream, writer, monkeypatch):
    monkeypatch.setattr(frames, "FRAME_BYTES_MAX", 250)
    stream.open.clear()
    writer.send(vote(b"first"))
    await stream.until(1)
    for _ in range(3):
        writer.send(vote(bytes(100)))
    writer.send(vote(bytes(1_000)))
    stream.open.set()
    sizes = [[len(i.consensus_message) for i in frame] for frame in await stream.until(4)]
    assert sizes[1:] == [[100, 100], [100], [1_000]]


async def test_a_reader_that_does_not_keep_up_costs_bounded_memory(monkeypatch):
    monkeypatch.setattr(frames, "QUEUE_ITEMS_MAX", 3)
    by_count = FrameWriter()
    assert [by_count.send(vote(b"x")) for _ in range(4)] == [True, True, True, False]
    monkeypatch.setattr(frames, "QUEUE_ITEMS_MAX", 100)
    monkeypatch.setattr(frames, "QUEUE_BYTES_MAX", 250)
    by_bytes = FrameWriter()
    assert [by_bytes.send(vote(bytes(100))) for _ in range(3)] == [True, True, False]
    assert by_bytes.dropped_items == 1
    by_bytes.clear()
    assert by_bytes.send(vote(bytes(100)))


async def test_room_comes_back_as_frames_leave(stream, writer, monkeypatch):
    monkeypatch.setattr(frames, "QUEUE_BYTES_MAX", 250)
    for count in range(1, 5):
        assert writer.send(vote(bytes(200)))
        await stream.until(count)


@pytest.mark.parametrize("raw", [b"\xff", b"\x0a\x05ab"])
def test_what_is_no_frame_is_refused(raw):
    with pytest.raises(InvalidMessage) as refused:
        decode_frame(raw)
    assert refused.value.reason is Reason.MALFORMED


def test_a_frame_of_very_many_items_is_refused(monkeypatch):
    monkeypatch.setattr(frames, "QUEUE_ITEMS_MAX", 10)
    raw = Frame(items=[status(1)] * 11).SerializeToString()
    with pytest.raises(InvalidMessage) as refused:
        decode_frame(raw)
    assert refused.value.reason is Reason.OVERSIZED
