"""Validators rest after a block when many transactions come, and never when few do."""

from ledger.consensus.effects import RequestBlock
from ledger.model.codec import decode_envelope
from ledger.node.ordering.block_proposer import BlockProposer
from ledger.node.ordering.block_rest import REST_MS_MAX, BlockRest
from ledger.ordering.pool import BlockLimits, PoolLimits, TransactionPool
from tests.support.config_world import ConfigWorld
from tests.support.validator_world import NOW_MS

TOOK_MS = 30


def rest_after(*transactions: int, took_ms: int = TOOK_MS) -> int:
    """Milliseconds of rest after blocks with so many transactions, each taking so long."""
    rest, now_ms = BlockRest(), 0
    for count in transactions:
        rest.working(now_ms)
        rest.working(now_ms + took_ms // 2)
        now_ms += took_ms
        rest.begin(now_ms, transactions=count)
    return rest.left_ms(now_ms)


def test_nobody_rests_while_few_transactions_come() -> None:
    assert rest_after(*[1] * 50) == rest_after(*[3] * 50) == 0


def test_a_rest_is_as_long_as_blocks_take_and_longer_the_fuller_they_are() -> None:
    assert rest_after(*[4] * 50) == TOOK_MS - 1
    assert rest_after(*[10] * 50) == 3 * (TOOK_MS - 1)


def test_a_single_transaction_after_full_blocks_does_not_end_the_rests_at_once() -> None:
    assert 0 < rest_after(*[16] * 10, 1) < rest_after(*[16] * 10)
    assert rest_after(*[16] * 10, 1, 1, 1) == 0


def test_a_rest_has_a_limit() -> None:
    assert rest_after(*[100] * 10, took_ms=5_000) == REST_MS_MAX


def test_blocks_fetched_from_others_took_no_time() -> None:
    rest = BlockRest()
    for now_ms in range(0, 10_000, 100):
        rest.begin(now_ms, transactions=100)
        assert not rest.left_ms(now_ms)


def test_a_rest_ends() -> None:
    rest = BlockRest()
    rest.working(0)
    rest.begin(80, transactions=10)
    assert [rest.left_ms(at_ms) for at_ms in (80, 100, 119, 120, 500)] == [40, 20, 1, 0, 0]


def resting_proposer(world: ConfigWorld, waiting: int, limits: BlockLimits) -> BlockProposer:
    """Of a validator with so many transactions in its pool, at the start of a rest."""
    pool = TransactionPool(PoolLimits())
    for _ in range(waiting):
        pool.add(decode_envelope(world.transaction()), is_committed=lambda _: False)
    proposer = BlockProposer(
        consenter_id=1, pool=pool, limits=lambda: limits, block_interval_ms=lambda: 0
    )
    proposer.working(0)
    proposer.decided(80, transactions=10)
    proposer.asked(RequestBlock(world.tip.height + 1, 0))
    return proposer


def world_with_a_block() -> ConfigWorld:
    world = ConfigWorld()
    world.follow(world.transaction())
    return world


def builds(proposer: BlockProposer, world: ConfigWorld, *, steady_ms: int) -> bool:
    last_config = world.committer.last_config
    now_ms = NOW_MS + steady_ms
    built = proposer.build(world.tip, last_config=last_config, now_ms=now_ms, steady_ms=steady_ms)
    return built is not None


def test_a_proposer_builds_when_its_rest_is_over() -> None:
    world = world_with_a_block()
    proposer = resting_proposer(world, 1, BlockLimits())
    assert proposer.interval_left_ms(world.tip, now_ms=NOW_MS, steady_ms=80) == 40
    assert not builds(proposer, world, steady_ms=119)
    assert builds(proposer, world, steady_ms=120)


def test_a_full_block_waits_for_no_rest() -> None:
    world = world_with_a_block()
    proposer = resting_proposer(world, 2, BlockLimits(transactions_max=2))
    assert builds(proposer, world, steady_ms=80)
