"""Private writes against the hashes that the ledger has of them: whoever sends them may lie."""

import pytest

from ledger.crypto.hashing import sha256
from ledger.crypto.policy_text import parse_policy
from ledger.errors import InvalidMessage, Reason
from ledger.model.private_collections import Collection
from ledger.model.private_rwset import encode_private_writes
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedMetadataWrite,
    HashedWrite,
    KeyWrite,
    NamespaceReadWriteSet,
    ReadWriteSet,
)
from ledger.validation.private_hashes import is_whole, require_hashed, values_in_force
from tests.support.ledger_world import CHAINCODE
from tests.unit.audit.ledgers import DefinedWorld

NAME = "meters"
PUT_A, PUT_B, GONE = KeyWrite("a", b"1"), KeyWrite("b", b"2"), KeyWrite("c", b"", is_delete=True)


def hashed(write: KeyWrite, *, is_purge: bool = False) -> HashedWrite:
    """What the ledger has of a private write."""
    value = b"" if write.is_delete else sha256(write.value)
    key = sha256(write.key.encode())
    return HashedWrite(key, value, is_delete=write.is_delete, is_purge=is_purge)


def raw_of(*writes: KeyWrite, metadata: tuple[str, ...] = ()) -> bytes:
    return encode_private_writes(writes, metadata)


def public_of(
    *writes: KeyWrite, metadata: tuple[str, ...] = (), raw: bytes | None = None
) -> CollectionReadWriteSet:
    """The public half of a transaction with these private writes."""
    whole = raw_of(*writes, metadata=metadata) if raw is None else raw
    noted = tuple(HashedMetadataWrite(sha256(key.encode()), ()) for key in metadata)
    return CollectionReadWriteSet(NAME, (), tuple(map(hashed, writes)), sha256(whole), noted)


def mismatch(raw: bytes, public: CollectionReadWriteSet) -> str:
    with pytest.raises(InvalidMessage) as refused:
        require_hashed(raw, public)
    assert refused.value.reason is Reason.DIGEST_MISMATCH
    return refused.value.detail


# -- what was sent is what was written ------------------------------------------------------------


def test_writes_deletes_and_metadata_with_their_hashes_are_taken():
    public = public_of(PUT_A, GONE, metadata=("a",))
    private = require_hashed(raw_of(PUT_A, GONE, metadata=("a",)), public)
    assert private.writes == (PUT_A, GONE)
    assert private.metadata_keys == ("a",)


def test_some_of_them_are_good_for_what_they_are():
    assert require_hashed(raw_of(PUT_B), public_of(PUT_A, PUT_B)).writes == (PUT_B,)
    assert require_hashed(raw_of(), public_of(PUT_A)).writes == ()


@pytest.mark.parametrize(
    "sent",
    [
        (KeyWrite("a", b"2"),),
        (KeyWrite("x", b"1"),),
        (KeyWrite("a", b"", is_delete=True),),
        (KeyWrite("a", b""),),
        (PUT_A, PUT_A),
        (KeyWrite("c", b"3"),),
    ],
    ids=["another value", "another key", "a delete", "no value", "twice", "a value of a delete"],
)
def test_a_write_that_the_ledger_has_no_hash_of(sent):
    assert "has no hash of" in mismatch(raw_of(*sent), public_of(PUT_A, GONE))


def test_a_purge_is_a_write_of_nothing():
    purged = hashed(KeyWrite("a", b"", is_delete=True), is_purge=True)
    public = CollectionReadWriteSet(NAME, (), (purged,), b"", ())
    sent = raw_of(KeyWrite("a", b"", is_delete=True))
    assert require_hashed(sent, public).writes == (KeyWrite("a", b"", is_delete=True),)
    assert "has no hash of" in mismatch(raw_of(PUT_A), public)


def test_metadata_of_a_key_that_the_ledger_does_not_name():
    public = public_of(PUT_A, metadata=("a",))
    assert "does not name" in mismatch(raw_of(PUT_A, metadata=("b",)), public)


def test_bytes_that_are_no_writes():
    with pytest.raises(InvalidMessage) as refused:
        require_hashed(b"\xff", public_of(PUT_A))
    assert refused.value.reason is Reason.MALFORMED


# -- and nothing that counts is left out ----------------------------------------------------------


@pytest.fixture
def world():
    world = DefinedWorld()
    world.define_collections(Collection(NAME, parse_policy("OR('CoopMSP.member')")))
    return world


def commit(world: DefinedWorld, *writes: KeyWrite) -> CollectionReadWriteSet:
    public = public_of(*writes)
    results = ReadWriteSet((NamespaceReadWriteSet(CHAINCODE, collections=(public,)),))
    assert world.commit(world.transaction(results)) == (0,)
    return public


def whole(world: DefinedWorld, raw: bytes, public: CollectionReadWriteSet) -> bool:
    return is_whole(
        require_hashed(raw, public), raw, public, namespace=CHAINCODE, state=world.store
    )


def test_a_value_in_force_may_not_be_left_out(world):
    public = commit(world, PUT_A, PUT_B)
    assert whole(world, raw_of(PUT_A, PUT_B), public), "its hash as a whole is right"
    assert whole(world, raw_of(PUT_B, PUT_A), public), "each of its parts is right"
    assert not whole(world, raw_of(PUT_A), public)
    assert not whole(world, raw_of(), public)


def test_what_was_replaced_or_deleted_since_may_be_left_out(world):
    public = commit(world, PUT_A, PUT_B)
    commit(world, KeyWrite("a", b"new"))
    assert whole(world, raw_of(PUT_B), public)
    assert not whole(world, raw_of(PUT_A), public)
    commit(world, KeyWrite("b", b"", is_delete=True))
    assert whole(world, raw_of(), public)


def test_a_delete_may_be_left_out(world):
    commit(world, KeyWrite("c", b"3"))
    public = commit(world, PUT_A, GONE)
    assert whole(world, raw_of(PUT_A), public)


def test_a_value_beside_its_transaction_counts_while_its_hash_is_in_force(world):
    commit(world, PUT_A, PUT_B)
    sent = raw_of(KeyWrite("b", b"a lie"), KeyWrite("x", b"unknown"), PUT_A, GONE)
    assert values_in_force(sent, world.store, CHAINCODE, NAME) == (PUT_A,)
    assert values_in_force(sent, world.store, CHAINCODE, "elsewhere") == ()
    assert values_in_force(raw_of(), world.store, CHAINCODE, NAME) == ()
    commit(world, KeyWrite("a", b"new"))
    assert values_in_force(sent, world.store, CHAINCODE, NAME) == ()
