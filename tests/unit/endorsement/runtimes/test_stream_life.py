"""A chaincode's stream without gRPC: what the peer does with one that talks and never listens."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from ledger.endorsement.limits import StreamLimits
from ledger.endorsement.runtimes.chaincode_life import LifeParts
from ledger.endorsement.runtimes.peer_session import StreamBroken
from ledger.endorsement.runtimes.stream_life import StreamLife
from ledger.wire.protos_pb2 import ChaincodeID, ChaincodeMessage, GetState
from tests.support.conditions import until

pytestmark = pytest.mark.anyio

ID = "market:1.0"
QUICK = StreamLimits(start_timeout_ms=1_000)


def message(kind, payload=b""):
    return ChaincodeMessage(type=kind, payload=payload, txid="t").SerializeToString()


REGISTER = message(ChaincodeMessage.REGISTER, ChaincodeID(name=ID).SerializeToString())


class Chatterbox:
    """Sends without end; takes answers only when told to."""

    def __init__(self, *first):
        self._first = list(first)
        self.sent = 0
        self.taken = []
        self.listens = asyncio.Event()

    async def read(self):
        await asyncio.sleep(0)
        if self._first:
            return self._first.pop(0)
        self.sent += 1
        return message(ChaincodeMessage.GET_STATE, GetState(key="k").SerializeToString())

    async def write(self, raw):
        await self.listens.wait()
        self.taken.append(raw)


class Silence:
    async def read(self):
        await asyncio.Event().wait()

    async def write(self, raw):
        raise AssertionError


def life(stream, limits=QUICK):
    @asynccontextmanager
    async def opened():
        if isinstance(stream, Exception):
            raise stream
        yield stream

    parts = LifeParts({}, lambda: None, lambda *_: None, lambda *_: None)
    return StreamLife(ID, opened, limits, parts)


async def test_a_chaincode_that_takes_no_answers_is_not_read_any_further():
    stream = Chatterbox(REGISTER)
    running = asyncio.create_task(life(stream, StreamLimits(unsent_bytes_max=10_000)).run())
    await until(lambda: stream.sent > 50)
    for _ in range(2_000):
        await asyncio.sleep(0)
    stopped_at = stream.sent
    for _ in range(2_000):
        await asyncio.sleep(0)
    assert stream.sent == stopped_at < 1_000
    stream.listens.set()
    await until(lambda: stream.sent > 2 * stopped_at)
    assert len(stream.taken) > stopped_at
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (StreamBroken("nobody listens"), "nobody listens"),
        (Silence(), "it did not register within 1000 ms"),
        (Chatterbox(b"\xff\xff"), "does not parse"),
        (Chatterbox(), "did not register first"),
    ],
)
async def test_a_stream_that_never_registers_ends_with_its_reason(stream, text):
    ending = await life(stream).run()
    assert not ending.was_ready
    assert ending.text.startswith(f"could not launch chaincode {ID}: ")
    assert text in ending.text
    assert ending.blamed_tx_id is None


async def test_a_second_registration_on_a_stream_ends_it():
    stream = Chatterbox(REGISTER, REGISTER)
    ending = await life(stream).run()
    assert ending.was_ready
    assert ending.text == "chaincode stream terminated"
