"""Streams between validators over real mutual TLS: who is let in, what arrives and returns."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import grpc
import pytest
from grpc import aio

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.pinned_tls import pinned_name, self_issued_certificate, trust_anchor
from ledger.crypto.signing import load_private_key
from ledger.rpc import validator_links, validator_service
from ledger.rpc.transport import (
    EXCHANGE_METHOD,
    TlsMaterial,
    identity_bytes,
    server_credentials,
    server_options,
    validator_channel,
)
from ledger.rpc.validator_links import LinkHandlers, ValidatorLink, ValidatorLinks
from ledger.rpc.validator_service import Reply, ValidatorService
from ledger.wire.validator_pb2 import Item, Status
from tests.support.conditions import until
from tests.support.identities import Consortium, consortium, make_consortium

pytestmark = pytest.mark.anyio


def tls_of(world: Consortium, index: int) -> TlsMaterial:
    bundle = b"".join(m.authority.member_config().tls_root_certs[0] for m in world.members)
    keys = world.members[index].tls
    return TlsMaterial(keys.certificate_pem, keys.key_pem, bundle)


def status(height: int) -> Item:
    return Item(status=Status(height=height))


class Receiver:
    """Validator 1: notes what arrives and answers each status with the next height."""

    def __init__(self, world: Consortium) -> None:
        self.world = world
        self.got: list[tuple[int, Item]] = []
        self.closed: list[int] = []
        self.consenters = world.config.consenters
        self.tls = tls_of(world, 0)
        self.failure: Exception | None = None
        self.service = ValidatorService(
            identify=self._consenter, on_item=self._on_item, on_closed=self.closed.append
        )
        self.port = 0

    def _consenter(self, key: bytes) -> int | None:
        for consenter in self.consenters:
            if parse_certificate(consenter.client_tls_cert).public_key_der == key:
                return consenter.consenter_id
        return None

    def _on_item(self, sender: int, item: Item, reply: Reply) -> None:
        if self.failure is not None:
            raise self.failure
        self.got.append((sender, item))
        reply(status(item.status.height + 1))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = aio.server(options=server_options())
        server.add_generic_rpc_handlers((self.service.rpc_handlers(),))
        credentials = server_credentials(lambda: self.tls, require_client=True)
        self.port = server.add_secure_port(f"127.0.0.1:{self.port}", credentials)
        await server.start()
        try:
            yield
        finally:
            await server.stop(0)


class Caller:
    """Another validator's link to validator 1."""

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.links = ValidatorLinks([ValidatorLink(1, channel)])
        self.news: list[object] = []
        self.task = asyncio.create_task(
            self.links.run(
                LinkHandlers(
                    on_item=lambda _sender, item: self.news.append(item.status.height),
                    on_connected=lambda _sender: self.news.append("connected"),
                    on_disconnected=lambda _sender: self.news.append("lost"),
                )
            )
        )

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
def receiver():
    return Receiver(consortium())


@pytest.fixture
async def callers():
    made: list[Caller] = []

    def call(receiver: Receiver, tls: TlsMaterial) -> Caller:
        made.append(Caller(validator_channel(f"127.0.0.1:{receiver.port}", tls)))
        return made[-1]

    yield call
    for caller in made:
        await caller.close()


async def test_items_go_both_ways_and_the_sender_is_known(receiver, callers):
    async with receiver.serving():
        caller = callers(receiver, tls_of(receiver.world, 2))
        await until(lambda: caller.links.connected_ids == (1,))
        assert caller.links.send(1, status(5))
        caller.links.broadcast(status(6))
        await until(lambda: len(caller.news) == 3)
    assert receiver.got == [(3, status(5)), (3, status(6))]
    assert caller.news[:3] == ["connected", 6, 7]


async def test_nothing_is_queued_for_a_link_that_is_down(receiver, callers):
    async with receiver.serving():
        caller = callers(receiver, tls_of(receiver.world, 1))
        assert not caller.links.send(1, status(1))
        assert not caller.links.send(9, status(1))
        await until(lambda: caller.links.connected_ids)
    await until(lambda: not caller.links.connected_ids)
    assert not caller.links.send(1, status(2))
    assert receiver.got == []


async def test_a_link_comes_back_by_itself(receiver, callers):
    async with receiver.serving():
        caller = callers(receiver, tls_of(receiver.world, 1))
        await _exchanged(caller, receiver, status(1))
    await until(lambda: not caller.links.connected_ids)
    async with receiver.serving():
        await _exchanged(caller, receiver, status(2))
    assert [mark for mark in caller.news if isinstance(mark, str)][:3] == [
        "connected",
        "lost",
        "connected",
    ]


async def test_a_link_that_fails_again_and_again_is_told_once_and_in_plain_words(
    receiver, callers, caplog
):
    caplog.set_level("INFO")
    async with receiver.serving():
        pass  # the port is nobody's now
    caller = callers(receiver, tls_of(receiver.world, 1))
    await until(lambda: "consenter 1: nobody listens at its address" in caplog.text)
    async with receiver.serving():
        await until(lambda: caller.links.connected_ids)
    assert caplog.text.count("no connection to consenter 1") == 1
    assert "connected to consenter 1 (" in caplog.text


async def test_a_refusal_is_told_in_the_others_own_words(receiver, callers, caplog, monkeypatch):
    monkeypatch.setattr(validator_links, "RECONNECT_BACKOFF_MS_MIN", 1)
    receiver.consenters = ()
    async with receiver.serving():
        callers(receiver, tls_of(receiver.world, 1))
        await until(lambda: "no connection to consenter 1: UNKNOWN_MEMBER" in caplog.text)


async def _exchanged(caller: Caller, receiver: Receiver, item: Item) -> None:
    await until(lambda: caller.links.connected_ids)
    assert caller.links.send(1, item)
    await until(lambda: (2, item) in receiver.got)


async def test_a_member_that_is_no_consenter_is_refused(receiver):
    """Its certificate is good for TLS, but the channel does not name it."""
    world = receiver.world
    extra = world.members[1].authority.issue_tls("another", now=world.created)
    tls = TlsMaterial(extra.certificate_pem, extra.key_pem, tls_of(world, 1).ca_bundle_pem)
    async with receiver.serving():
        error = await _stream_error(receiver, tls)
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert receiver.got == []


async def test_too_many_broken_frames_end_the_stream(receiver):
    async with receiver.serving():
        error = await _stream_error(
            receiver,
            tls_of(receiver.world, 1),
            *[b"\xff"] * validator_service.MALFORMED_FRAMES_MAX,
        )
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def _stream_error(receiver: Receiver, tls: TlsMaterial, *raws: bytes) -> aio.AioRpcError:
    async with validator_channel(f"127.0.0.1:{receiver.port}", tls) as channel:
        call = channel.stream_stream(EXCHANGE_METHOD, identity_bytes, identity_bytes)()
        for raw in raws:
            await call.write(raw)
        async with asyncio.timeout(60):
            with pytest.raises(aio.AioRpcError) as failed:
                await call.read()
    return failed.value


async def test_a_failure_while_reading_ends_the_stream_not_the_node(
    receiver, callers, monkeypatch
):
    monkeypatch.setattr(validator_links, "RECONNECT_BACKOFF_MS_MIN", 1)
    receiver.failure = AssertionError("a mistake of ours")
    async with receiver.serving():
        caller = callers(receiver, tls_of(receiver.world, 1))
        await until(lambda: caller.links.connected_ids)
        caller.links.send(1, status(1))
        await until(lambda: "lost" in caller.news)
        receiver.failure = None
        await until(lambda: caller.links.send(1, status(2)))
        await until(lambda: (2, status(2)) in receiver.got)


async def test_a_caller_that_a_configuration_removes_loses_its_stream(receiver, callers):
    async with receiver.serving():
        caller = callers(receiver, tls_of(receiver.world, 2))
        await until(lambda: caller.links.connected_ids)
        receiver.service.end_changed_streams()
        assert caller.links.send(1, status(1))
        await until(lambda: receiver.got)
        receiver.consenters = receiver.consenters[:2]
        receiver.service.end_changed_streams()
        await until(lambda: receiver.closed == [3])
        await until(lambda: "lost" in caller.news)
        assert receiver.got == [(3, status(1))]


async def test_a_link_is_replaced_and_dropped_while_others_run(receiver, callers):
    async with receiver.serving():
        caller = callers(receiver, tls_of(receiver.world, 1))
        await until(lambda: caller.links.connected_ids == (1,))
        channel = validator_channel(f"127.0.0.1:{receiver.port}", tls_of(receiver.world, 2))
        caller.links.put(ValidatorLink(1, channel))
        await until(lambda: caller.links.connected_ids == (1,))
        assert caller.links.send(1, status(1))
        await until(lambda: (3, status(1)) in receiver.got)
        caller.links.drop(1)
        assert caller.links.ids == ()
        assert not caller.links.send(1, status(2))
        await until(lambda: sorted(receiver.closed) == [2, 3])


# -- TLS by keys ----------------------------------------------------------------------------------


def pinned(world: Consortium, own: int, other: int) -> TlsMaterial:
    """What validator `own` uses towards validator `other`: keys, no dates, no authorities."""
    key = load_private_key(world.members[own].tls.key_pem)
    server = parse_certificate(world.members[other].tls.certificate_pem)
    return TlsMaterial(
        self_issued_certificate(key),
        world.members[own].tls.key_pem,
        trust_anchor(server.public_key),
        server_name=pinned_name(server.public_key_der),
    )


def accepting(world: Consortium, own: int, *accepted: int) -> TlsMaterial:
    keys = [parse_certificate(world.members[i].tls.certificate_pem).public_key for i in accepted]
    mine = pinned(world, own, own)
    return TlsMaterial(mine.certificate_pem, mine.key_pem, b"".join(map(trust_anchor, keys)))


@pytest.fixture
def expired():
    """A receiver of a consortium whose certificates all expired long ago."""
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    made = Receiver(make_consortium(long_ago))
    made.tls = accepting(made.world, 0, 1, 2)
    return made


async def test_expired_certificates_stop_nobody_whose_key_is_known(expired, callers):
    async with expired.serving():
        caller = callers(expired, pinned(expired.world, 2, 0))
        await until(lambda: caller.links.connected_ids)
        assert caller.links.send(1, status(1))
        await until(lambda: expired.got == [(3, status(1))])


async def test_another_key_under_the_same_name_is_refused_by_both_sides(expired):
    world = expired.world
    forged = self_issued_certificate(load_private_key(world.members[3].tls.key_pem))
    stranger = replace(
        pinned(world, 2, 0), certificate_pem=forged, key_pem=world.members[3].tls.key_pem
    )
    async with expired.serving():
        error = await _stream_error(expired, stranger)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        error = await _stream_error(expired, pinned(world, 2, 1))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert expired.got == []


async def test_a_listener_takes_up_new_keys_without_a_restart(expired):
    world = expired.world
    async with expired.serving():
        error = await _stream_error(expired, pinned(world, 3, 0))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        expired.tls = accepting(world, 0, 1, 2, 3)
        error = await _stream_error(
            expired, pinned(world, 3, 0), *[b"\xff"] * validator_service.MALFORMED_FRAMES_MAX
        )
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, "it was let in"
