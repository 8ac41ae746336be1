"""Of two updates that wait together the one made on the older configuration is never ordered."""

from dataclasses import replace

import pytest

from ledger.consensus.effects import RequestBlock
from ledger.model.codec import decode_envelope
from ledger.model.config import BatchLimits
from ledger.node.membership.waiting_configs import WaitingConfigs
from ledger.node.ordering.block_proposer import BlockProposer
from ledger.ordering.pool import BlockLimits, PoolLimits, TransactionPool
from ledger.validation.config_transaction import check_config_transaction
from tests.support.config_world import ConfigWorld
from tests.support.validator_world import NOW_MS


@pytest.fixture
def world() -> ConfigWorld:
    return ConfigWorld()


def two_updates(world: ConfigWorld) -> list[bytes]:
    """Of one value, both good now."""
    limits = (BatchLimits(max_transactions=count) for count in (7, 8))
    return [world.ordered(world.update(replace(world.config, batch_limits=one))) for one in limits]


class Waiting:
    """A pool, its judge of configurations and a proposer."""

    def __init__(self, world: ConfigWorld, *entries: bytes) -> None:
        self.world = world
        self.pool = TransactionPool(PoolLimits())
        for entry in entries:
            self.pool.add(decode_envelope(entry), is_committed=lambda _: False)
        self.configs = WaitingConfigs(self.pool, self.check)
        self.proposer = BlockProposer(
            consenter_id=1,
            pool=self.pool,
            limits=BlockLimits,
            block_interval_ms=lambda: 0,
            config_holds=self.configs.holds,
        )

    def check(self, envelope) -> None:
        in_force = self.world.channel.state.in_force
        check_config_transaction(envelope, in_force, self.world.verifier)

    def proposed(self) -> tuple[bytes, ...]:
        """Entries of the block this validator would propose; none when it has nothing to."""
        tip = self.world.tip
        self.proposer.asked(RequestBlock(tip.height + 1, 0))
        last_config = self.world.committer.last_config
        built = self.proposer.build(tip, last_config=last_config, now_ms=NOW_MS, steady_ms=0)
        return () if built is None else built.block.entries


def test_a_good_update_is_proposed_alone(world: ConfigWorld) -> None:
    first, second = two_updates(world)
    waiting = Waiting(world, first, second)
    assert waiting.proposed() == (first,)
    assert len(waiting.pool) == 2


def test_an_outdated_update_is_passed_over_by_its_proposer(world: ConfigWorld) -> None:
    first, second = two_updates(world)
    other = world.transaction()
    waiting = Waiting(world, second, other)
    world.follow(first)
    assert waiting.proposed() == (other,)
    assert decode_envelope(second).tx_id not in waiting.pool


def test_with_nothing_else_there_is_no_block(world: ConfigWorld) -> None:
    first, second = two_updates(world)
    waiting = Waiting(world, second)
    world.follow(first)
    assert waiting.proposed() == ()
    assert len(waiting.pool) == 0


def test_nobody_keeps_an_outdated_update_waiting(world: ConfigWorld) -> None:
    """Else the others' timers would go on for a block that never comes."""
    first, second = two_updates(world)
    other = world.transaction()
    waiting = Waiting(world, first, second, other)
    world.channel.subscribe(lambda _: waiting.configs.forget_outdated())
    world.follow(first)
    assert [envelope.raw for envelope in waiting.pool.all()] == [other]
