"""Private writes between endorsement and block: found by their hash, bounded, and gone in time."""

import pytest

from ledger.crypto.hashing import sha256
from ledger.errors import NodeFault
from ledger.model.private_rwset import PrivateCollectionSet, PrivateReadWriteSet
from ledger.storage.memory import MemoryStore
from ledger.storage.transient_store import OWN, TransientLimits, TransientStore

TX, OTHER_TX = "ab" * 32, "cd" * 32
SMALL = TransientLimits(sets_per_sender_max=3, bytes_per_sender_max=100, blocks_max=10)


@pytest.fixture
def kv():
    return MemoryStore()


def private(raw, collection="prices"):
    return PrivateReadWriteSet((PrivateCollectionSet("market", collection, raw),))


def find(store, raw, tx_id=TX):
    return store.find(tx_id, "market", "prices", sha256(raw))


def records(kv):
    return list(kv.iterate(b"", b"\xff" * 8))


def test_a_set_is_found_by_transaction_collection_and_hash(kv):
    store = TransientStore(kv)
    store.put(TX, private(b"set"), sender=OWN, height=5)
    assert find(store, b"set") == b"set"
    assert find(store, b"set", OTHER_TX) is None
    assert find(store, b"another") is None
    assert store.find(TX, "market", "other", sha256(b"set")) is None


def test_a_false_set_takes_nobody_s_place(kv):
    store = TransientStore(kv)
    store.put(TX, private(b"false"), sender=3, height=5)
    store.put(TX, private(b"true"), sender=OWN, height=5)
    assert find(store, b"true") == b"true"


def test_what_waited_is_there_after_a_restart(kv):
    TransientStore(kv, SMALL).put(TX, private(b"set"), sender=3, height=5)
    again = TransientStore(kv, SMALL)
    assert find(again, b"set") == b"set"
    kv.write(again.outdated(16), sync=True)
    assert records(kv) == []


def test_a_flood_displaces_only_the_sender_s_own_oldest_sets(kv):
    store = TransientStore(kv, SMALL)
    store.put(TX, private(b"ours"), sender=OWN, height=1)
    for n in range(5):
        store.put(f"{n:064}", private(b"%d" % n), sender=3, height=1)
    assert find(store, b"ours") == b"ours"
    kept = [find(store, b"%d" % n, f"{n:064}") is not None for n in range(5)]
    assert kept == [False, False, True, True, True]
    store.put(OTHER_TX, private(bytes(90)), sender=3, height=1)
    assert find(store, bytes(90), OTHER_TX) == bytes(90)
    assert find(store, b"2", f"{2:064}") is None
    assert len(records(kv)) == 4


def test_a_set_larger_than_the_share_is_not_kept(kv):
    store = TransientStore(kv, SMALL)
    store.put(TX, private(bytes(101)), sender=3, height=1)
    assert find(store, bytes(101)) is None
    assert records(kv) == []


def test_the_same_set_of_two_endorsers_is_kept_once_for_each(kv):
    store = TransientStore(kv, SMALL)
    for sender in (1, 2, 1):
        store.put(TX, private(b"set"), sender=sender, height=1)
    assert len(records(kv)) == 2
    kv.write(store.settled([TX]), sync=True)
    assert find(store, b"set") is None
    assert records(kv) == []


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("honest", [OWN, 2])
def test_who_offers_first_and_floods_does_not_remove_what_another_gave(kv, honest, is_restarted):
    store = TransientStore(kv, SMALL)
    store.put(TX, private(b"set"), sender=3, height=1)
    store.put(TX, private(b"set"), sender=honest, height=1)
    if is_restarted:
        store = TransientStore(kv, SMALL)
    for n in range(5):
        store.put(f"{n:064}", private(b"%d" % n), sender=3, height=1)
    assert find(store, b"set") == b"set"
    assert len(records(kv)) == 4


def test_what_a_block_settles_goes_with_its_batch(kv):
    store = TransientStore(kv)
    store.put(TX, private(b"a"), sender=OWN, height=1)
    store.put(TX, private(b"b", "other"), sender=OWN, height=1)
    store.put(OTHER_TX, private(b"c"), sender=OWN, height=1)
    kv.write(store.settled([TX], keep=[(TX, "market$$pother")]), sync=True)
    assert find(store, b"a") is None
    assert store.find(TX, "market", "other", sha256(b"b")) == b"b"
    assert find(store, b"c", OTHER_TX) == b"c"
    assert len(records(kv)) == 2


def test_what_no_block_names_goes_after_some_blocks(kv):
    store = TransientStore(kv, SMALL)
    store.put(TX, private(b"old"), sender=OWN, height=1)
    store.put(OTHER_TX, private(b"new"), sender=3, height=2)
    assert store.outdated(11) == []
    kv.write(store.outdated(12), sync=True)
    assert find(store, b"old") is None
    assert find(store, b"new", OTHER_TX) == b"new"
    assert len(records(kv)) == 1


def test_a_damaged_record_is_named(kv):
    kv.write([(b"t\x40short", b"")], sync=True)
    with pytest.raises(NodeFault, match="transient store is damaged"):
        TransientStore(kv)
