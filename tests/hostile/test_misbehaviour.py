"""Row 1: ten unreadable messages in a minute bar a validator for a minute."""

import asyncio

import grpc
import pytest
from grpc import aio

from ledger.errors import InvalidMessage, Reason
from ledger.rpc import validator_links
from ledger.rpc.misbehaviour import BARRED_MS, MALFORMED_MAX, WINDOW_MS, Misbehaviour
from ledger.rpc.transport import EXCHANGE_METHOD, identity_bytes, validator_channel
from ledger.rpc.validator_links import LinkHandlers, ValidatorLink, ValidatorLinks
from ledger.rpc.validator_service import ValidatorService
from ledger.wire.validator_pb2 import Frame, Item, Status
from tests.support.conditions import until
from tests.support.identities import consortium
from tests.unit.rpc.test_validator_streams import Receiver, tls_of

pytestmark = pytest.mark.anyio
UNREADABLE = InvalidMessage(Reason.MALFORMED, "cannot be read")


class Watched:
    """Misbehaviour on a clock that the test turns."""

    def __init__(self) -> None:
        self.now_ms = 1_000
        self.barred: list[int] = []
        self.standing = Misbehaviour(steady_ms=lambda: self.now_ms)
        self.standing.on_barred = self.barred.append

    def hear(self, times: int, error: InvalidMessage = UNREADABLE, sender: int = 2) -> None:
        for _ in range(times):
            self.standing.rejected(sender, error)


@pytest.fixture
def watched():
    return Watched()


async def test_the_tenth_bars_the_sender_and_nobody_else(watched):
    watched.hear(MALFORMED_MAX - 1)
    watched.hear(MALFORMED_MAX - 1, sender=3)
    assert not watched.standing.is_barred(2)
    watched.hear(1)
    assert watched.standing.is_barred(2)
    assert not watched.standing.is_barred(3)
    assert watched.barred == [2]


async def test_ten_over_a_longer_time_are_bad_luck(watched):
    for _ in range(5 * MALFORMED_MAX):
        watched.hear(1)
        watched.now_ms += WINDOW_MS // (MALFORMED_MAX - 1) + 1
    assert watched.barred == []


async def test_a_minute_later_it_may_come_back_and_be_barred_again(watched):
    watched.hear(MALFORMED_MAX)
    watched.now_ms += BARRED_MS - 1
    assert watched.standing.is_barred(2)
    watched.now_ms += 1
    assert not watched.standing.is_barred(2)
    watched.hear(MALFORMED_MAX)
    assert watched.barred == [2, 2]
    assert watched.standing.counters[2] == 2


@pytest.mark.parametrize(
    "reason", [reason for reason in Reason if reason not in (Reason.MALFORMED, Reason.OVERSIZED)]
)
async def test_what_can_be_read_bars_nobody(watched, reason):
    """An honest validator may be late, ahead, or at another configuration."""
    watched.hear(1_000, InvalidMessage(reason, "but readable"))
    assert watched.barred == []


# -- over real streams ----------------------------------------------------------------------------


class Victim(Receiver):
    """Validator 1 as a node connects it; unreadable consensus messages are counted too."""

    def __init__(self, watched: Watched) -> None:
        super().__init__(consortium())
        self.watched = watched
        self.service = ValidatorService(
            identify=self._consenter,
            on_item=self._judge,
            on_rejected=watched.standing.rejected,
            is_barred=self._is_barred,
        )
        self.refused: list[int] = []
        watched.standing.on_barred = self.service.end_streams_of

    def _is_barred(self, sender: int) -> bool:
        barred = self.watched.standing.is_barred(sender)
        if barred:
            self.refused.append(sender)
        return barred

    def _judge(self, sender: int, item: Item, reply) -> None:
        if item.consensus_message == b"\xff":
            self.watched.standing.rejected(sender, UNREADABLE)
        else:
            self._on_item(sender, item, reply)


def frame(**kinds: object) -> bytes:
    return Frame(items=[Item(**kinds)]).SerializeToString()


STATUS = frame(status=Status(height=1))
GARBAGE = frame(consensus_message=b"\xff")


async def exchange(channel: aio.Channel, *raws: bytes) -> aio.StreamStreamCall:
    call = channel.stream_stream(EXCHANGE_METHOD, identity_bytes, identity_bytes)()
    for raw in raws:
        await call.write(raw)
    return call


async def ended(call: aio.StreamStreamCall) -> grpc.StatusCode:
    async with asyncio.timeout(60):
        while True:
            try:
                if await call.read() is aio.EOF:
                    return await call.code()
            except aio.AioRpcError as error:
                return error.code()


@pytest.mark.parametrize("garbage", [b"\xff", GARBAGE], ids=["frames", "messages"])
async def test_its_streams_end_and_are_refused_while_others_go_on(watched, garbage):
    victim = Victim(watched)
    async with victim.serving():
        address = f"127.0.0.1:{victim.port}"
        async with (
            validator_channel(address, tls_of(victim.world, 1)) as bad,
            validator_channel(address, tls_of(victim.world, 2)) as good,
        ):
            honest = await exchange(good, STATUS)
            liar = await exchange(bad, *[garbage] * (MALFORMED_MAX - 1))
            second = await exchange(bad, garbage)
            await ended(liar)
            await ended(second)
            assert await ended(await exchange(bad, STATUS)) is grpc.StatusCode.UNAVAILABLE
            assert {sender for sender, _ in victim.got} <= {3}
            await honest.write(STATUS)
            await until(lambda: len(victim.got) == 2)

            watched.now_ms += BARRED_MS
            await exchange(bad, STATUS)
            await until(lambda: 2 in {sender for sender, _ in victim.got})


async def test_who_is_barred_is_not_connected_for_a_moment_again_and_again(watched, monkeypatch):
    monkeypatch.setattr(validator_links, "RECONNECT_BACKOFF_MS_MIN", 1)
    monkeypatch.setattr(validator_links, "RECONNECT_BACKOFF_MS_MAX", 1)
    victim = Victim(watched)
    watched.hear(MALFORMED_MAX, sender=2)
    async with victim.serving():
        news: list[str] = []
        channel = validator_channel(f"127.0.0.1:{victim.port}", tls_of(victim.world, 1))
        links = ValidatorLinks([ValidatorLink(1, channel)])
        handlers = LinkHandlers(
            on_item=lambda *_: None,
            on_connected=lambda _: news.append("connected"),
            on_disconnected=lambda _: news.append("lost"),
        )
        running = asyncio.create_task(links.run(handlers))
        await until(lambda: len(victim.refused) > 5)
        assert news == []
        watched.now_ms += BARRED_MS
        await until(lambda: news == ["connected"])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_our_own_stream_to_it_is_cut_and_opened_again_later(watched, monkeypatch):
    monkeypatch.setattr(validator_links, "RECONNECT_BACKOFF_MS_MIN", 1)
    monkeypatch.setattr(validator_links, "RECONNECT_BACKOFF_MS_MAX", 1)
    other = Receiver(consortium())
    async with other.serving():
        channel = validator_channel(f"127.0.0.1:{other.port}", tls_of(other.world, 1))
        links = ValidatorLinks([ValidatorLink(1, channel)])
        watched.standing.on_barred = links.cut
        running = asyncio.create_task(
            links.run(
                LinkHandlers(
                    on_item=lambda *_: None,
                    on_connected=lambda _: None,
                    on_disconnected=lambda _: None,
                    is_barred=watched.standing.is_barred,
                )
            )
        )
        await until(lambda: links.connected_ids == (1,))
        watched.hear(MALFORMED_MAX, sender=1)
        await until(lambda: links.connected_ids == ())
        for _ in range(20):
            await asyncio.sleep(0.002)
            assert links.connected_ids == ()
        watched.now_ms += BARRED_MS
        await until(lambda: links.connected_ids == (1,))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
