"""Every invariant can fail: for each, the least that violates it, and that it is noticed.

Where it takes little, the shipped code itself is spoiled and a whole world must notice; else the
invariant is shown what it must never see.
"""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from ledger.audit.block_reading import read_block
from ledger.consensus import upon_proposal
from ledger.consensus.effects import Persist
from ledger.consensus.messages import (
    Commit,
    CommitMessage,
    Prepare,
    PrepareMessage,
    RoundChange,
    RoundChangeMessage,
    Seal,
    Signed,
)
from ledger.model.block import SLOT_SIGNATURES
from ledger.model.codec_block import (
    decode_block,
    decode_block_signatures,
    encode_block,
    encode_block_signatures,
)
from ledger.node.consensus.driver import ConsensusDriver
from tests.simulation.adversary import Adversary
from tests.simulation.disk import SimulatedLogFile, SimulatedStore
from tests.simulation.invariants import Monitor, WorldMonitor
from tests.simulation.invariants.journals import i11_persisted_before_sent
from tests.simulation.invariants.ledgers import (
    i07_all_stored,
    i08_executes_to_the_same,
    i09_acknowledged_is_there,
)
from tests.simulation.invariants.scenes import calm_swarm, calm_world, first_violation, violates
from tests.simulation.oracle import PREPARE, Statement
from tests.simulation.swarm import (
    Byzantine,
    Load,
    ProcessFaults,
)
from tests.simulation.world import World

A, B = b"a" * 32, b"b" * 32


# -- votes: I1 to I4, I10 -------------------------------------------------------------------------


def prepare(author: int, round_number: int, digest: bytes) -> PrepareMessage:
    return PrepareMessage(Signed(Prepare(1, round_number, digest), author, b"", b""))


def commit(author: int, round_number: int, digest: bytes) -> CommitMessage:
    payload = Commit(1, round_number, digest, Seal(author, b"", b""))
    return CommitMessage(Signed(payload, author, b"", b""), seal_verified=True)


def round_change(author: int, round_number: int) -> RoundChangeMessage:
    return RoundChangeMessage(Signed(RoundChange(1, round_number, None, None), author, b"", b""))


@pytest.fixture
def monitor() -> Monitor:
    """Of four validators, the fourth lies."""
    return Monitor((1, 2, 3, 4), frozenset({4}))


def test_i1_two_nodes_commit_different_blocks(monitor):
    monitor.on_committed(0, 1, A)
    monitor.on_committed(1, 1, A)
    with violates("I1"):
        monitor.on_committed(2, 1, B)


def test_i2_two_blocks_could_be_certified_though_nobody_has_committed(monitor):
    monitor.on_signed(commit(1, 0, A))
    monitor.on_signed(commit(2, 0, A))  # and the liar's: a quorum
    monitor.on_signed(commit(2, 1, B))
    with violates("I2"):
        monitor.on_signed(commit(3, 1, B))


def test_i2_seals_of_different_rounds_never_add_up(monitor):
    monitor.on_signed(commit(1, 0, A))
    monitor.on_signed(commit(2, 1, A))
    monitor.on_signed(commit(2, 2, B))
    monitor.on_signed(commit(3, 3, B))


@pytest.mark.parametrize("vote", [prepare, commit])
def test_i3_two_votes_of_one_kind(monitor, vote):
    monitor.on_signed(vote(1, 0, A))
    monitor.on_signed(vote(1, 0, A))
    with violates("I3"):
        monitor.on_signed(vote(1, 0, B))


def test_i3_a_vote_below_the_announced_round(monitor):
    monitor.on_signed(round_change(1, 2))
    with violates("I3"):
        monitor.on_signed(prepare(1, 1, A))


def test_i3_liars_may(monitor):
    monitor.on_signed(prepare(4, 0, A))
    monitor.on_signed(prepare(4, 0, B))


@pytest.mark.parametrize("prepare_first", [True, False])
def test_i4_another_block_prepared_above_a_possible_certificate(monitor, prepare_first):
    votes = [commit(1, 0, A), commit(2, 0, A)]
    last = prepare(3, 1, B)
    if prepare_first:
        votes, last = [last, votes[0]], votes[1]
    for vote in votes:
        monitor.on_signed(vote)
    with violates("I4"):
        monitor.on_signed(last)


@pytest.mark.parametrize("later", [(2, 9, 9), (3, 1, 9), (3, 2, 0)])
def test_i10_height_round_and_lock_only_go_up(monitor, later):
    run = (0, 1)
    monitor.on_progress(run, (2, 5, 0))
    monitor.on_progress(run, (3, 0, -1))
    monitor.on_progress(run, (3, 2, 1))
    monitor.on_progress((0, 2), (3, 0, -1))  # another run begins anew
    with violates("I10"):
        monitor.on_progress(run, later)


def test_i4_or_i10_a_world_whose_core_drops_its_lock():
    original = upon_proposal.enter_round

    def drop(state, round_number):
        state.now.prepared = None
        return original(state, round_number)

    with (
        patch("ledger.consensus.upon_proposal.enter_round", drop),
        patch("ledger.consensus.upon_round_change.enter_round", drop),
    ):
        found = first_violation(range(20))
    assert found.startswith(("I4", "I10"))


# -- proposals: I5, I6 ----------------------------------------------------------------------------


@dataclass
class Lie:
    """A world in which validator 2, whose turn it is in round 0 of height 1, makes proposals."""

    world: World = field(
        default_factory=lambda: calm_world(
            swarm=calm_swarm(byzantine=Byzantine.ADVERSARY, faulty=1)
        )
    )

    def __post_init__(self):
        for node in self.world.nodes:
            node.install()
        for place in self.world.places:
            place.start()
        self.liar = next(p for p in self.world.places if isinstance(p, Adversary))
        genesis = self.world.consortium.genesis
        self.liar.memory.transactions[genesis.entries[0]] = None
        self.watch = self.world.observer
        self.slot = self.world.honest[0].slot

    def hears(self, raw: bytes) -> None:
        self.watch.proposals.on_message(self.slot, self.watch.mail.bytes(raw))

    def prepared(self, round_number, digest) -> None:
        self.watch.proposals.on_prepare(self.slot, (1, round_number, digest))

    def my_round(self) -> int:
        """The first round above 0 in which the liar proposes."""
        situation = self.watch.ledgers.situations[1]
        return next(r for r in range(1, 5) if situation.turn(r) == self.liar.identity)


@pytest.fixture
def lie():
    stage = Lie()
    assert isinstance(stage.watch, WorldMonitor)
    return stage


def test_i5_an_unjustified_proposal_is_prepared(lie):
    block = lie.liar.fresh_block()
    round_number = lie.my_round()
    lie.hears(lie.liar.proposal(round_number, block))
    with violates("I5"):
        lie.prepared(round_number, block.digest)


def test_i5_a_justified_one_may_be(lie):
    block = lie.liar.fresh_block()
    round_number = lie.my_round()
    changes = [replace_author(lie, author, round_number) for author in lie.liar.tip.validators[:3]]
    lie.hears(lie.liar.proposal(round_number, block, changes))
    lie.prepared(round_number, block.digest)


def replace_author(lie: Lie, author: int, round_number: int) -> Signed[RoundChange]:
    """An honest validator's own round change."""
    accomplice = Adversary(world=lie.world, slot=99, identity=author)
    return accomplice.round_change(1, round_number).signed


def test_i6_nobody_proposed_what_is_prepared(lie):
    with violates("I6"):
        lie.prepared(0, A)


def test_i6_somebody_proposed_out_of_turn(lie):
    block = lie.liar.fresh_block()
    wrong = lie.my_round() + 1
    lie.hears(lie.liar.proposal(wrong, block))
    with violates("I6"):
        lie.prepared(wrong, block.digest)


def test_i5_a_world_that_ignores_justifications():
    with patch("ledger.consensus.proposal_rules.check_proposal_justification", lambda *_, **__: 0):
        assert first_violation(range(60)).startswith(("I4", "I5"))


# -- ledgers: I1, I7, I8, I9 ----------------------------------------------------------------------


@dataclass
class FakeNode:
    """A node as far as its ledger is looked at."""

    blocks: list[bytes]
    slot: int = 77

    def __post_init__(self):
        self.store = self
        self.disk = SimpleNamespace(has_forgotten=False)

    def height(self) -> int:
        return len(self.blocks)

    def block_raw(self, number: int) -> bytes | None:
        return self.blocks[number] if number < len(self.blocks) else None


@pytest.fixture(scope="module")
def finished():
    """A world without faults after its run: (its watch, the blocks of a node)."""
    world = calm_world(swarm=calm_swarm(calm_heights=3))
    world.run()
    store = world.honest[0].store
    assert store.height() > 3
    return world.observer, [store.block_raw(number) for number in range(store.height())]


def test_a_world_without_faults_violates_nothing(finished):
    watch, blocks = finished
    i07_all_stored(watch.ledgers, FakeNode(blocks))
    i09_acknowledged_is_there(watch.ledgers, FakeNode(blocks))


def test_i1_another_block_of_the_same_height_is_stored(finished):
    watch, blocks = finished
    block = decode_block(blocks[2])
    other = encode_block(replace(block, header=replace(block.header, data_hash=A)))
    with violates("I1"):
        watch.ledgers.on_committed(FakeNode([*blocks[:2], other]), 2)


def test_i1_another_state_after_the_same_block_is_stored(finished):
    watch, blocks = finished
    block = decode_block(blocks[2])
    flags = bytes([11] * len(block.entries))
    metadata = (*block.metadata[:2], flags, *block.metadata[3:])
    other = encode_block(replace(block, metadata=metadata))
    with violates("I1"):
        watch.ledgers.on_committed(FakeNode([*blocks[:2], other]), 2)


@pytest.mark.parametrize("wrong", ["too few", "twice", "of another block"])
def test_i7_the_stored_seals_do_not_suffice(finished, wrong):
    watch, blocks = finished
    block = decode_block(blocks[2])
    seals = sealed(block).signatures
    seals = {
        "too few": seals[:2],
        "twice": (seals[0], seals[0], seals[1]),
        "of another block": (*seals[:2], sealed(decode_block(blocks[3])).signatures[2]),
    }[wrong]
    raw = encode_block_signatures(replace(sealed(block), signatures=seals))
    other = encode_block(replace(block, metadata=(raw, *block.metadata[1:])))
    with violates("I7"):
        watch.ledgers.on_committed(FakeNode([*blocks[:2], other]), 2)


def sealed(block):
    return decode_block_signatures(block.metadata[SLOT_SIGNATURES])


def test_i7_a_block_is_missing_below_the_tip(finished):
    watch, blocks = finished
    with violates("I7"):
        i07_all_stored(watch.ledgers, FakeNode([*blocks[:2], None, *blocks[3:]]))


def test_i8_a_block_holds_what_nobody_submitted(finished):
    watch, blocks = finished
    with patch.object(watch.ledgers, "submitted", set()), violates("I8"):
        i08_executes_to_the_same(watch.ledgers, read_block(blocks[1]))


@pytest.mark.parametrize("change", [{"codes": b"\x0b"}, {"commit_hash": A}])
def test_i8_execution_comes_to_something_else(change):
    world = calm_world(swarm=calm_swarm(load=Load(transactions=1)))
    world.run()
    blocks = [world.honest[0].store.block_raw(number) for number in (0, 1)]
    watch = calm_world().observer
    watch.ledgers.begin(blocks[0])
    block = read_block(blocks[1])
    watch.ledgers.submitted.update(block.entries)
    with violates("I8"):
        i08_executes_to_the_same(watch.ledgers, replace(block, **change))


def test_i8_a_transaction_is_valid_twice(finished):
    watch, blocks = finished
    node = FakeNode(blocks)
    watch.ledgers.on_acknowledged(node, "tx", 1, 0)
    watch.ledgers.on_acknowledged(node, "tx", 1, 0)
    with violates("I8"):
        watch.ledgers.on_acknowledged(node, "tx", 2, 0)


def test_i9_an_acknowledged_block_is_gone_after_a_crash(finished):
    watch, blocks = finished
    node = FakeNode(blocks)
    watch.ledgers.on_committed(node, len(blocks) - 1)
    node.blocks = blocks[:-1]
    with violates("I9"):
        watch.ledgers.on_started(node)


def test_i9_an_acknowledged_transaction_is_nowhere(finished):
    watch, blocks = finished
    node = FakeNode(blocks)
    with patch.dict(watch.ledgers.acknowledged, {"tx of nobody": (1, 0)}), violates("I9"):
        i09_acknowledged_is_there(watch.ledgers, node)


def test_i9_a_world_that_tells_before_it_syncs():
    """Acknowledged, then the power fails."""
    original = SimulatedStore.write

    def unsynced(store, batch, *, sync):
        original(store, batch, sync=False)

    swarm = calm_swarm(process=ProcessFaults(crash=0.02, power_share=1))
    with patch.object(SimulatedStore, "write", unsynced):
        assert first_violation(range(20), swarm=swarm).startswith("I9")


# -- disk: I11 ------------------------------------------------------------------------------------


def test_i11_a_vote_is_sent_that_is_on_no_disk():
    world = calm_world()
    world.run()
    node = world.honest[0]
    height = node.store.height()
    vote = Statement(PREPARE, height, 0, A, node.identity, None, b"", b"")
    with violates("I11"):
        i11_persisted_before_sent(world.observer.journals, node, vote)


def test_i11_a_world_whose_files_do_not_sync():
    with patch.object(SimulatedLogFile, "sync", lambda _file: None), violates("I11"):
        calm_world().run()


def test_i11_a_world_whose_driver_writes_no_records():
    def without_records(driver, step):
        kept = tuple(effect for effect in step if not isinstance(effect, Persist))
        return original(driver, kept)

    original = ConsensusDriver._perform_all
    with patch.object(ConsensusDriver, "_perform_all", without_records), violates("I11"):
        calm_world().run()
