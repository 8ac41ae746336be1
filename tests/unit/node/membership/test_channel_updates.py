"""What a validator makes of a client's configuration update."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import grpc
import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import decode_envelope
from ledger.model.config import ChannelConfig
from ledger.model.config_update import SignedUpdate
from ledger.node.membership.channel_updates import ChannelUpdates, UpdatePorts
from ledger.ordering.block_building import build_block, check_contents
from ledger.ordering.pool import BlockLimits, PoolLimits, TransactionPool
from ledger.rpc.orderer_status import FOLLOWS_ONLY
from ledger.rpc.status import GatewayError
from ledger.wire import common_pb2
from tests.support.config_updates import sign_update, signed_envelope, update_envelope
from tests.support.config_world import ConfigWorld
from tests.support.identities import CHANNEL_ID
from tests.support.validator_world import NOW_MS

pytestmark = pytest.mark.anyio


class Desk:
    """A validator that takes updates in."""

    def __init__(self) -> None:
        self.world = ConfigWorld()
        self.executor = ThreadPoolExecutor(max_workers=1)
        self.ordered: list[bytes] = []
        self.asked: list[tuple[ChannelConfig, ChannelConfig]] = []
        self.readiness: InvalidMessage | None = None
        self.follows_only = False
        self.updates = ChannelUpdates(
            self.world.channel,
            self.world.verifier,
            UpdatePorts(
                identity=lambda: self.world.consortium.members[1].node,
                clock_ms=lambda: int(self.world.consortium.created.timestamp() * 1000) + 60_000,
                random_bytes=lambda count: b"r" * count,
                require_validator=self._require_validator,
                check_readiness=self._check,
                executor=self.executor,
                submit=self._submit,
            ),
        )

    def _require_validator(self) -> None:
        if self.follows_only:
            raise GatewayError(grpc.StatusCode.UNAVAILABLE, FOLLOWS_ONLY)

    def _check(self, old: ChannelConfig, new: ChannelConfig) -> None:
        self.asked.append((old, new))
        if self.readiness is not None:
            raise self.readiness

    async def _submit(self, raw: bytes) -> None:
        self.ordered.append(raw)

    @property
    def updated(self) -> ChannelConfig:
        return replace(self.world.config, block_interval_ms=9)

    async def refusal(self, raw: bytes) -> Reason:
        with pytest.raises(InvalidMessage) as refused:
            await self.updates.submit(raw)
        assert self.ordered == []
        return refused.value.reason


@pytest.fixture
def desk():
    made = Desk()
    yield made
    made.executor.shutdown()


async def test_an_update_becomes_a_transaction_that_everybody_accepts(desk):
    await desk.updates.submit(desk.world.update(desk.updated))
    [raw] = desk.ordered
    envelope = decode_envelope(raw)
    assert envelope.is_config
    assert envelope.header.creator == desk.world.consortium.members[1].node.serialized
    assert desk.world.refusal(raw) is None
    desk.world.follow(raw)
    assert desk.world.config.block_interval_ms == 9
    assert [new.block_interval_ms for _, new in desk.asked] == [9]


async def test_anything_else_is_passed_on_as_it_came(desk):
    raw = desk.world.transaction()
    await desk.updates.submit(raw)
    assert desk.ordered == [raw]


async def test_what_the_rules_or_the_signatures_do_not_allow(desk):
    world = desk.world
    assert await desk.refusal(world.update(desk.updated, world.admins[:2])) is (
        Reason.POLICY_NOT_SATISFIED
    )
    three = world.with_consenters(*world.config.consenters[:-1], removed_consenter_id=4)
    assert await desk.refusal(world.update(three, world.admins)) is Reason.TOO_FEW_VALIDATORS


async def test_what_the_validators_that_are_up_could_not_bear(desk):
    desk.readiness = InvalidMessage(Reason.QUORUM_AT_RISK, "validator 3 cannot be reached")
    assert await desk.refusal(desk.world.update(desk.updated)) is Reason.QUORUM_AT_RISK


async def test_a_sender_that_is_no_member_or_did_not_sign(desk):
    world = desk.world
    raw = world.update(desk.updated)
    assert await desk.refusal(raw[:-1] + bytes([raw[-1] ^ 1])) is Reason.BAD_SIGNATURE
    node = world.consortium.members[0].node
    by_peer = update_envelope(world.tree, desk.updated, world.admins[:3], sender=node)
    assert await desk.refusal(by_peer) is Reason.POLICY_NOT_SATISFIED, "peers are no writers"


@pytest.mark.parametrize("raw", [b"", b"\xff\xff", b"nonsense"])
async def test_bytes_that_are_no_envelope(desk, raw):
    assert await desk.refusal(raw) is Reason.MALFORMED


async def test_an_update_of_nonsense(desk):
    admin = desk.world.admins[0]
    for content in (b"", b"\xff\xff"):
        raw = signed_envelope(SignedUpdate(content), sender=admin, channel_id=CHANNEL_ID)
        assert await desk.refusal(raw) in (Reason.MALFORMED, Reason.WRONG_CHANNEL)
    many = sign_update(common_pb2.ConfigUpdate(channel_id=CHANNEL_ID), [admin] * 201)
    raw = signed_envelope(many, sender=admin, channel_id=CHANNEL_ID)
    assert await desk.refusal(raw) is Reason.OVERSIZED


# -- alone in its block ---------------------------------------------------------------------------


def pool_of(*raws: bytes) -> TransactionPool:
    pool = TransactionPool(PoolLimits())
    for raw in raws:
        pool.add(decode_envelope(raw), is_committed=lambda _: False)
    return pool


def test_a_configuration_waits_for_a_block_of_its_own():
    world = ConfigWorld()
    first, second = world.transaction(), world.transaction()
    config = world.ordered(world.update(replace(world.config, block_interval_ms=9)))
    pool = pool_of(first, config, second)

    def batch() -> list[bytes]:
        return [envelope.raw for envelope in pool.oldest(BlockLimits())]

    assert batch() == [first]
    pool.remove([decode_envelope(first).tx_id])
    assert batch() == [config]
    pool.remove([decode_envelope(config).tx_id])
    assert batch() == [second]


def test_a_block_with_a_configuration_beside_others_is_refused():
    world = ConfigWorld()
    config = world.ordered(world.update(replace(world.config, block_interval_ms=9)))
    alone, mixed = (
        build_block(tip=world.tip, proposer=1, entries=entries, last_config=0, now_ms=NOW_MS)
        for entries in ((config,), (config, world.transaction()))
    )
    check_contents(alone, BlockLimits(), world.memory)
    with pytest.raises(InvalidMessage, match="not alone") as refused:
        check_contents(mixed, BlockLimits(), world.memory)
    assert refused.value.reason is Reason.MALFORMED


def test_what_no_longer_fits_a_block_holds_up_nobody():
    world = ConfigWorld()
    large, small = world.transaction(), world.transaction()
    limits = BlockLimits(absolute_bytes_max=len(large) - 1)
    pool = pool_of(large)
    assert pool.oldest(limits) == ()
    pool = pool_of(large, small)
    assert pool.oldest(BlockLimits(bytes_max=1))[0].raw == large
    block = build_block(tip=world.tip, proposer=1, entries=(large,), last_config=0, now_ms=NOW_MS)
    with pytest.raises(InvalidMessage) as refused:
        check_contents(block, limits, world.memory)
    assert refused.value.reason is Reason.OVERSIZED


async def test_a_node_that_only_follows_does_not_judge_who_is_ready(desk):
    """It would know of no candidate, itself least of all; whoever asks goes to a validator."""
    desk.follows_only = True
    desk.readiness = InvalidMessage(Reason.VALIDATOR_NOT_READY, "not seen from here")
    with pytest.raises(GatewayError, match="without being a validator"):
        await desk.updates.submit(desk.world.update(desk.updated))
    assert desk.asked == []
    assert desk.ordered == []
