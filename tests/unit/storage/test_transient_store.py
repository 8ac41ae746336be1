"""Private writes between endorsement and block: found by their hash, bounded, and gone in time."""

import pytest

from ledger.crypto.hashing import sha256
from ledger.errors import NodeFault
from ledger.model.private_rwset import (
    PrivateCollectionSet,
    PrivateReadWriteSet,
    encode_private_writes,
)
from ledger.model.rwset import KeyWrite
from ledger.storage.memory import MemoryStore
from ledger.storage.transient_store import OWN, TransientKey, TransientLimits, TransientStore

TX, OTHER_TX = "ab" * 32, "cd" * 32
SMALL = TransientLimits(
    sets_per_sender_max=3, bytes_per_sender_max=100, blocks_max=10, blocks_for_members_max=3
)


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
    kv.write(store.settled([TX], height=2), sync=True)
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
    kv.write(store.settled([TX], height=2), sync=True)
    assert find(store, b"a") is None
    assert store.find(TX, "market", "other", sha256(b"b")) is None
    assert find(store, b"c", OTHER_TX) == b"c"
    assert len(records(kv)) == 1


# -- of collections this peer is no member of -----------------------------------------------------


def key_of(raw):
    return TransientKey(TX, sha256(raw), "market$$pprices")


def committed(kv, raw=b"set", *, gone=(), limits=SMALL):
    """A store that endorsed a set of others; its block is 2."""
    store = TransientStore(kv, limits)
    store.put(TX, private(raw), sender=OWN, height=1)
    kv.write(store.settled([TX], height=2, for_members={key_of(raw): gone}), sync=True)
    return store


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_members_may_ask_for_stays_a_few_blocks(kv, is_restarted):
    store = committed(kv)
    if is_restarted:
        store = TransientStore(kv, SMALL)
    kv.write(store.settled([TX], height=3), sync=True)  # repeated, and not valid
    assert store.outdated(5) == []
    assert find(store, b"set") == b"set"
    kv.write(store.outdated(6), sync=True)
    assert find(store, b"set") is None
    assert records(kv) == []


def test_what_a_member_s_peer_has_goes_with_the_block(kv):
    store = TransientStore(kv)
    store.put(TX, private(b"set"), sender=OWN, height=1)
    store.received(TX, private(b"set").collections)
    assert find(store, b"set") == b"set"
    kv.write(store.settled([TX], height=2, for_members={key_of(b"set"): ()}), sync=True)
    assert records(kv) == []


def test_a_receipt_after_the_block_lets_the_next_one_remove_the_set(kv):
    store = committed(kv)
    store.received(TX, private(b"another").collections)
    assert store.outdated(3) == []
    store.received(TX, private(b"set").collections)
    kv.write(store.outdated(3), sync=True)
    assert records(kv) == []


def test_only_what_this_peer_endorsed_is_kept_for_members(kv):
    store = TransientStore(kv)
    store.put(TX, private(b"set"), sender=3, height=1)
    kv.write(store.settled([TX], height=2, for_members={key_of(b"set"): ()}), sync=True)
    assert records(kv) == []


def written(*keys):
    return encode_private_writes([KeyWrite(key, b"secret of " + key.encode()) for key in keys], ())


def test_purged_keys_leave_what_is_kept_for_members(kv):
    both, gone = written("a", "b"), {"market$$pprices": {sha256(b"a")}}
    store = committed(kv, both)
    kv.write(store.purged({"market$$pother": {sha256(b"a")}}), sync=True)
    assert find(store, both) == both
    kv.write(store.purged(gone), sync=True)
    assert find(store, both) == written("b")
    kv.write(store.purged({"market$$pprices": {sha256(b"b")}}), sync=True)
    assert records(kv) == []


@pytest.mark.parametrize("raw", [written("a"), b"\xff"])
def test_a_set_that_its_own_block_purges_is_not_kept(kv, raw):
    committed(kv, raw, gone={sha256(b"a")})
    assert records(kv) == []


def test_a_purge_spares_what_waits_for_its_block(kv):
    store = TransientStore(kv)
    store.put(TX, private(written("a")), sender=OWN, height=1)
    assert store.purged({"market$$pprices": {sha256(b"a")}}) == []


def test_what_is_kept_for_members_has_a_share_of_its_own(kv):
    store = TransientStore(kv, SMALL)
    for n in range(5):
        tx_id, raw = f"{n:064}", b"%d" % n
        store.put(tx_id, private(raw), sender=OWN, height=1)
        wanted = {TransientKey(tx_id, sha256(raw), "market$$pprices"): ()}
        kv.write(store.settled([tx_id], height=1, for_members=wanted), sync=True)
    kept = [find(store, b"%d" % n, f"{n:064}") is not None for n in range(5)]
    assert kept == [False, False, True, True, True]


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
