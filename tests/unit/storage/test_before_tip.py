"""What the newest block replaced is kept, and gives back the state before it."""

import pytest

from ledger.errors import NodeFault
from ledger.model.rwset import Version
from ledger.model.state import KeyUpdate, StateUpdates
from ledger.storage import before_tip, keyspace
from ledger.storage.before_tip import decode_before_tip, encode_before_tip
from ledger.storage.ledger_store import EMPTY
from tests.support.ledger_world import CHAINCODE, LedgerWorld, delete, market, put

AT = Version(1, 0)


def test_replaced_created_and_deleted_keys():
    world = LedgerWorld()
    world.commit(world.transaction(market(writes=[put("changed", b"1"), put("gone", b"2")])))
    before = world.store.tip()
    world.commit(
        world.transaction(market(writes=[put("changed", b"3"), delete("gone"), put("new")]))
    )
    kept = decode_before_tip(world.kv.get(keyspace.BEFORE_TIP_KEY))
    assert kept.savepoint.height == 2
    assert kept.savepoint.commit_hash == before.commit_hash
    assert kept.savepoint.state_digest == before.commitment.digest
    found = {
        keyspace.split_state_key(key)[1]: None if raw is None else keyspace.decode_state(raw).value
        for key, raw in kept.records.items()
    }
    assert found == {"changed": b"1", "gone": b"2", "new": None}


def test_too_much_is_not_kept(monkeypatch):
    monkeypatch.setattr(before_tip, "REPLACED_BYTES_MAX", 100)
    world = LedgerWorld()
    world.commit(world.transaction(market(writes=[put("a", bytes(200))])))
    assert decode_before_tip(world.kv.get(keyspace.BEFORE_TIP_KEY)).records is not None
    world.commit(world.transaction(market(writes=[delete("a")])))
    assert decode_before_tip(world.kv.get(keyspace.BEFORE_TIP_KEY)).records is None


def test_a_damaged_record_is_named():
    world = LedgerWorld()
    world.commit(world.transaction(market(writes=[put("a")])))
    updates = StateUpdates(keys={(CHAINCODE, key): KeyUpdate(b"1", AT) for key in "ab"})
    raw = encode_before_tip(EMPTY, updates, world.store)
    for cut in range(len(raw)):
        with pytest.raises(NodeFault, match="damaged"):
            decode_before_tip(raw[:cut])
    with pytest.raises(NodeFault, match="damaged"):
        decode_before_tip(raw + b"x")
