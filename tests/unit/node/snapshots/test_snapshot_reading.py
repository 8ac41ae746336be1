"""A snapshot is believed only as far as its validators sealed it; every lie has a name."""

import io
from dataclasses import replace

import pytest

from ledger.crypto.hashing import block_hash
from ledger.errors import NodeFault
from ledger.model.block import SLOT_SIGNATURES, SLOT_TRANSACTIONS_FILTER, Block
from ledger.model.codec_block import (
    decode_block,
    decode_block_signatures,
    encode_block,
    encode_block_signatures,
)
from ledger.model.rwset import MetadataWrite, Version
from ledger.node.snapshots.reading import read_snapshot
from ledger.storage import keyspace
from ledger.storage.snapshot_errors import SnapshotProblem as Problem
from ledger.storage.snapshot_errors import SnapshotRefused
from ledger.storage.snapshot_file import (
    Counts,
    FrameKind,
    decode_head,
    decode_records,
    encode_head,
)
from ledger.validation.state_digest import state_hash
from tests.support.config_updates import config_transaction, tree_of_config
from tests.support.config_world import ConfigWorld
from tests.support.identities import CHANNEL_ID, make_consortium
from tests.support.ledger_world import CHAINCODE, LedgerWorld, market, put
from tests.support.snapshot_world import (
    Forger,
    filled,
    frames_of,
    problem,
    read,
    reconfigured,
    records,
    snapshot_of,
)


@pytest.fixture(scope="module")
def world() -> LedgerWorld:
    return filled(LedgerWorld())


@pytest.fixture(scope="module")
def raw(world) -> bytes:
    return snapshot_of(world)


@pytest.fixture(scope="module")
def changed_world() -> ConfigWorld:
    return reconfigured()


def relabelled(change):
    """A change of a block inside a frame."""
    return lambda payload: encode_block(change(decode_block(payload)))


def with_slot(block: Block, slot: int, content: bytes) -> Block:
    metadata = list(block.metadata)
    metadata[slot] = content
    return replace(block, metadata=tuple(metadata))


def with_seals(block: Block, change) -> Block:
    signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    changed = replace(signed, signatures=change(signed.signatures))
    return with_slot(block, SLOT_SIGNATURES, encode_block_signatures(changed))


# -- good ones ------------------------------------------------------------------------------------


def test_a_good_snapshot_says_what_it_is(world, raw):
    found = read(raw, world.consortium.genesis)
    below_tip = world.store.block(world.store.tip().number - 1)
    assert found.head.block_number == below_tip.number
    assert found.block_hash == block_hash(below_tip.header)
    assert found.sealed_by == ((1, "CoopMSP"), (2, "MunicipalityMSP"), (3, "DsoMSP"))
    assert (found.validators, found.last_config_number) == (4, 0)
    assert found.counts == Counts(config_blocks=0, values=2, transactions=9)


def test_it_holds_the_state_before_the_newest_block(world, raw):
    """What the newest block replaced, created and deleted is taken back."""
    held = {}
    for kind, payload in frames_of(raw):
        if kind is FrameKind.STATE:
            for key, value in decode_records(payload):
                held[keyspace.split_state_key(key)[1]] = keyspace.decode_state(value).value
    assert held == {"own2": b"vv", "shared": b"2"}
    assert world.store.get_state(CHAINCODE, "own2") is None


def test_two_ledgers_with_one_history_hold_the_same_records(raw):
    """Only signatures differ from ledger to ledger."""
    kinds = (FrameKind.STATE, FrameKind.TRANSACTIONS)
    first, second = (
        [frame for frame in frames_of(one) if frame[0] in kinds]
        for one in (raw, snapshot_of(filled(LedgerWorld())))
    )
    assert first == second


def test_metadata_is_part_of_it():
    world = LedgerWorld()
    policy = (("VALIDATION_PARAMETER", b"policy"),)
    with_policy = market(writes=[put("a")], metadata=[MetadataWrite("a", policy)])
    for number in range(3):
        world.commit(world.transaction(with_policy if number == 0 else market()))
    raw = snapshot_of(world)
    writes = []
    read_into(raw, world, writes)
    assert (keyspace.has_metadata_key(CHAINCODE), b"") in writes
    dropped = Forger(raw).with_frame(
        FrameKind.STATE,
        lambda payload: records(
            *(
                (key, keyspace.encode_state(found.value, found.version, ()))
                for key, value in decode_records(payload)
                for found in [keyspace.decode_state(value)]
            )
        ),
    )
    assert problem(dropped, world) is Problem.OTHER_STATE


def read_into(raw: bytes, world: LedgerWorld, writes: list) -> None:
    read_snapshot(io.BytesIO(raw), world.consortium.genesis, writes.extend)


def test_long_state_is_written_in_several_frames():
    world = LedgerWorld()
    world.commit(world.transaction(market(writes=[put(f"k{n}", bytes(50_000)) for n in range(9)])))
    world.commit(world.transaction())
    world.commit(world.transaction())
    raw = snapshot_of(world)
    assert [kind for kind, _ in frames_of(raw)].count(FrameKind.STATE) == 3
    assert read(raw, world.consortium.genesis).counts.values == 9


# -- who may vouch for it -------------------------------------------------------------------------


def test_validators_are_followed_through_configurations(changed_world):
    found = read(snapshot_of(changed_world), changed_world.consortium.genesis)
    assert found.counts.config_blocks == 2
    assert found.last_config_number == 4
    assert [consenter for consenter, _ in found.sealed_by] == [3, 4, 5]
    assert found.validators == 4


def test_the_snapshots_block_may_be_a_configuration():
    world = ConfigWorld()
    world.follow()
    world.reconfigure(world.with_consenters(*world.config.consenters, world.candidate(5)))
    world.follow(signers=(2, 3, 4, 5))
    found = read(snapshot_of(world), world.consortium.genesis)
    assert (found.last_config_number, found.head.block_number) == (2, 2)
    assert found.validators == 5


def test_a_refused_configuration_changes_nothing():
    world = ConfigWorld()
    update = world.update(world.with_consenters(*world.config.consenters, world.candidate(5)))
    once = world.ordered(update)
    world.follow(once)
    world.follow(once, signers=(2, 3, 4, 5))
    world.follow(signers=(2, 3, 4, 5))
    found = read(snapshot_of(world), world.consortium.genesis)
    assert (found.head.block_number, found.last_config_number) == (2, 1)


def test_a_left_out_configuration_is_named(changed_world):
    forger = Forger(snapshot_of(changed_world))
    assert problem(forger.without(FrameKind.CONFIG), changed_world) is Problem.BAD_SEALS
    world = ConfigWorld()
    limits = replace(world.config.batch_limits, max_transactions=7)
    world.reconfigure(replace(world.config, batch_limits=limits))
    world.follow()
    world.follow()
    assert read(snapshot_of(world), world.consortium.genesis).last_config_number == 1
    same_validators = Forger(snapshot_of(world)).without(FrameKind.CONFIG)
    assert problem(same_validators, world) is Problem.BAD_CONFIGURATION


def test_configurations_in_another_order_are_refused(changed_world):
    forger = Forger(snapshot_of(changed_world))
    swapped = forger.with_frames(lambda f: [f[0], f[2], f[1], *f[3:]])
    assert problem(swapped, changed_world) in (Problem.BAD_CONFIGURATION, Problem.BAD_SEALS)
    twice = forger.with_frames(lambda f: [f[0], f[1], f[1], *f[2:]])
    assert problem(twice, changed_world) is Problem.OUT_OF_ORDER


def test_a_configuration_that_the_rules_refuse_is_named():
    """Sealed by a quorum and recorded as refused: a liar calls it valid."""
    world = ConfigWorld()
    config = world.with_consenters(*world.config.consenters, world.candidate(5))
    update = world.update(config, signers=world.admins[:1])
    node = world.consortium.members[0].node
    tree = tree_of_config(config)
    world.follow(config_transaction(tree, update, node, channel_id=CHANNEL_ID))
    for _ in range(3):
        world.follow()
    refused = world.store.block(1)
    assert refused.metadata[SLOT_TRANSACTIONS_FILTER] != b"\0"
    raw = snapshot_of(world)
    lie = encode_block(with_slot(refused, SLOT_TRANSACTIONS_FILTER, b"\0"))
    honest = encode_block(refused)
    for payload in (lie, honest):
        forged = Forger(raw).with_frames(
            lambda f, payload=payload: [f[0], (FrameKind.CONFIG, payload), *f[1:]]
        )
        assert problem(forged, world) is Problem.BAD_CONFIGURATION


def test_seals_are_counted_by_signer_and_checked(world, raw):
    forger = Forger(raw)

    def changed(kind, change):
        return problem(
            forger.with_frame(kind, relabelled(lambda block: with_seals(block, change))), world
        )

    for kind in (FrameKind.BLOCK, FrameKind.NEXT):
        assert changed(kind, lambda seals: seals[:2]) is Problem.BAD_SEALS
        assert changed(kind, lambda seals: (seals[0],) * 3) is Problem.BAD_SEALS
        assert changed(kind, lambda seals: ()) is Problem.BAD_SEALS
        assert (
            changed(
                kind, lambda seals: (*seals[:2], replace(seals[2], signature=seals[0].signature))
            )
            is Problem.BAD_SEALS
        )


def test_seals_over_nothing_a_validator_could_have_signed(world, raw):
    def emptied(block):
        signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
        slot = encode_block_signatures(replace(signed, value_raw=b""))
        return with_slot(block, SLOT_SIGNATURES, slot)

    for kind in (FrameKind.BLOCK, FrameKind.NEXT):
        assert problem(Forger(raw).with_frame(kind, relabelled(emptied)), world) is (
            Problem.BAD_SEALS
        )


def test_seals_of_strangers_are_refused(world, raw):
    stranger = make_consortium(world.consortium.created).members[2].node

    def change(seals):
        return (*seals[:2], replace(seals[2], signature=stranger.sign(b"whatever it says")))

    forged = Forger(raw).with_frame(
        FrameKind.NEXT, relabelled(lambda block: with_seals(block, change))
    )
    assert problem(forged, world) is Problem.BAD_SEALS


def test_validators_of_before_cannot_vouch_any_more(changed_world):
    """The first four never sealed this state; their seals of an old block do not count for it."""
    old = changed_world.store.block(1)
    forged = Forger(snapshot_of(changed_world)).with_frame(
        FrameKind.BLOCK, lambda _: encode_block(old)
    )
    assert problem(forged, changed_world) is Problem.BAD_BLOCK


# -- what it is of --------------------------------------------------------------------------------


def test_another_network_and_another_channel(world, raw):
    other = make_consortium(world.consortium.created)
    with pytest.raises(SnapshotRefused) as refused:
        read(raw, other.genesis)
    assert refused.value.problem is Problem.OTHER_GENESIS
    elsewhere = Forger(raw).with_frame(
        FrameKind.HEAD, lambda head: encode_head(replace(decode_head(head), channel_id="other"))
    )
    assert problem(elsewhere, world) is Problem.OTHER_CHANNEL


def test_what_is_no_genesis_block_is_our_fault(world, raw):
    with pytest.raises(NodeFault, match="genesis"):
        read(raw, world.store.block(1))


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, Problem.BAD_BLOCK), (2, Problem.BAD_BLOCK), (9, Problem.BAD_BLOCK)],
)
def test_a_head_of_another_height(world, raw, number, expected):
    forged = Forger(raw).with_frame(
        FrameKind.HEAD, lambda head: encode_head(replace(decode_head(head), block_number=number))
    )
    assert problem(forged, world) is expected


def test_a_next_block_that_does_not_follow(world, raw):
    earlier = encode_block(replace(world.store.block(2), entries=()))
    forged = Forger(raw).with_frame(FrameKind.NEXT, lambda _: earlier)
    assert problem(forged, world) is Problem.BAD_BLOCK
    whole = Forger(raw).with_frame(FrameKind.NEXT, lambda _: encode_block(world.store.block(4)))
    assert problem(whole, world) is Problem.BAD_BLOCK


def test_changed_codes_are_noticed(world, raw):
    def flip(block):
        return with_slot(block, SLOT_TRANSACTIONS_FILTER, bytes(len(block.entries)))

    assert problem(Forger(raw).with_frame(FrameKind.BLOCK, relabelled(flip)), world) is (
        Problem.OTHER_STATE
    )
    for codes in (b"", b"\xc8" * 3, bytes(4)):
        forged = Forger(raw).with_frame(
            FrameKind.BLOCK,
            relabelled(lambda b, codes=codes: with_slot(b, SLOT_TRANSACTIONS_FILTER, codes)),
        )
        assert problem(forged, world) is Problem.BAD_BLOCK


def test_entries_cut_elsewhere_are_noticed(world, raw, changed_world):
    """The data hash is over the entries one after another: it is the same."""

    def recut(block):
        first, *others = block.entries
        entries = (first[:-1], first[-1:] + b"".join(others)) + (b"",) * max(0, len(others) - 1)
        return replace(block, entries=entries[: max(len(block.entries), 2)])

    cut = Forger(raw).with_frame(FrameKind.BLOCK, relabelled(recut))
    assert problem(cut, world) is Problem.BAD_BLOCK

    def appended(block):
        return replace(block, entries=(*block.entries, b""))

    more = Forger(snapshot_of(changed_world)).with_frame(FrameKind.CONFIG, relabelled(appended))
    assert problem(more, changed_world) is Problem.BAD_BLOCK


# -- a ledger that cannot prove anything yet ------------------------------------------------------


def test_a_young_ledger_has_no_snapshot():
    world = LedgerWorld()
    for _ in range(2):
        with pytest.raises(NodeFault, match="needs 3"):
            snapshot_of(world)
        world.commit(world.transaction())
    assert read(snapshot_of(world), world.consortium.genesis).head.block_number == 1


def test_a_database_that_was_tampered_with_gives_no_good_snapshot(world):
    other = filled(LedgerWorld())
    other.kv.write(
        [
            (
                keyspace.state_key(CHAINCODE, "shared2"),
                keyspace.encode_state(b"1", Version(1, 0), ()),
            )
        ],
        sync=True,
    )
    assert problem(snapshot_of(other), world) is Problem.OTHER_STATE
    assert state_hash(other.store.tip().commitment.digest)
