"""Who seals follows the configuration blocks; a ledger may begin with a snapshot."""

import io

import pytest

from ledger.audit.chain import ChainBroken
from ledger.model.codec_block import decode_block, encode_block
from ledger.model.rwset import Version
from ledger.node.snapshots.reading import read_snapshot
from ledger.storage import keyspace
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.memory import MemoryStore
from ledger.storage.opening import open_ledger
from tests.support.config_world import ConfigWorld
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import CHAINCODE, market, put
from tests.support.snapshot_world import snapshot_of
from tests.unit.audit.ledgers import END, Records, audit, definition_for, records_of

JOINS, LEAVES = 3, 5
"""Numbers of the configuration blocks."""


@pytest.fixture(scope="module")
def world() -> ConfigWorld:
    """Four validators become five, then the first one leaves; blocks in between and after."""
    world = ConfigWorld()
    world.follow(definition_for(world))
    world.follow(world.transaction(market(writes=[put("a", b"1")])))
    world.reconfigure(world.with_consenters(*world.config.consenters, world.candidate(5)))
    world.follow(world.transaction(market(writes=[put("b", b"2")])), signers=(2, 3, 4, 5))
    _, *staying = world.config.consenters
    world.reconfigure(
        world.with_consenters(*staying, removed_consenter_id=1), signers=(2, 3, 4, 5)
    )
    for number in range(4):
        entry = world.transaction(market(writes=[put("c", b"%d" % number)]))
        world.follow(entry, signers=(3, 4, 5))
    return world


@pytest.fixture(scope="module")
def restored(world: ConfigWorld) -> Records:
    """The records of a validator that joined from a snapshot and followed since."""
    kv = MemoryStore()
    genesis = world.consortium.genesis
    open_ledger(kv, channel_id=CHANNEL_ID, genesis=genesis)
    batches = []
    file = io.BytesIO(snapshot_of(world))
    findings = read_snapshot(file, genesis, batches.append)
    for batch in (*batches, findings.last_writes):
        kv.write(batch, sync=True)
    open_ledger(kv, channel_id=CHANNEL_ID, genesis=genesis)
    assert LedgerStore(kv).first_block > LEAVES
    return Records(kv.iterate(b"", END))


def broken_at(records: Records) -> int | None:
    with pytest.raises(ChainBroken) as caught:
        audit(records)
    return caught.value.block_number


def test_seals_are_those_of_the_set_of_their_height(world: ConfigWorld) -> None:
    findings = audit(records_of(world), genesis_raw=encode_block(world.consortium.genesis))
    assert findings.blocks == world.store.height()
    assert findings.codes == {0: findings.transactions}


@pytest.mark.parametrize("number", [JOINS, LEAVES])
def test_a_configuration_made_invalid_is_named(world: ConfigWorld, number: int) -> None:
    records = records_of(world)
    block = decode_block(records[keyspace.block_key(number)])
    assert block.metadata[2] == b"\0"
    records[keyspace.block_key(number)] = encode_block(block).replace(
        block.metadata[0], decode_block(records[keyspace.block_key(1)]).metadata[0]
    )
    assert broken_at(records) == number


def test_a_set_that_was_not_in_force_cannot_seal(world: ConfigWorld) -> None:
    """A block sealed by those who left: built by the product, put in place of the newest one."""
    records = records_of(world)
    forged = world.decided(world.transaction(market(writes=[put("d")])), signers=(1, 2, 3))
    newest = world.store.height() - 1
    block = decode_block(records[keyspace.block_key(newest)])
    changed = encode_block(block).replace(block.metadata[0], forged.metadata[0])
    records[keyspace.block_key(newest)] = changed
    assert broken_at(records) == newest


def test_a_ledger_that_began_with_a_snapshot_is_good(
    world: ConfigWorld, restored: Records
) -> None:
    findings = audit(restored, genesis_raw=encode_block(world.consortium.genesis))
    assert findings.first_block > LEAVES
    # Of the earlier blocks it has the configurations.
    assert findings.blocks == 2 + 1
    savepoint = keyspace.decode_savepoint(restored[keyspace.SAVEPOINT_KEY])
    assert (findings.tip_hash, findings.commit_hash) == (
        savepoint.tip_hash,
        savepoint.commit_hash,
    )


@pytest.mark.parametrize(
    ("key", "record"),
    [
        (keyspace.state_key(CHAINCODE, "a"), None),
        (
            keyspace.state_key(CHAINCODE, "a"),
            keyspace.encode_state(b"9", Version(2, 0), ()),
        ),
        (
            keyspace.state_key(CHAINCODE, "z"),
            keyspace.encode_state(b"9", Version(2, 0), ()),
        ),
        (keyspace.block_key(JOINS), None),
        (keyspace.transaction_key("ab" * 32), keyspace.encode_number(0) + bytes(5)),
    ],
    ids=["value deleted", "value edited", "value added", "configuration lost", "id added"],
)
def test_what_is_changed_in_it_is_seen(
    restored: Records, key: bytes, record: bytes | None
) -> None:
    records = Records(restored)
    if record is None:
        del records[key]
    else:
        records[key] = record
    assert broken_at(records) is not None
