"""What the ledger knows of private data: hashes, their policies, and when they expire.

Each scene ends with two independent verdicts on the whole ledger.
"""

import pytest

from ledger.crypto.policy_text import parse_policy
from ledger.model.codes import ValidationCode as Code
from ledger.model.policy_codec import encode_signature_policy
from ledger.model.private_collections import Collection
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    NamespaceReadWriteSet,
    ReadWriteSet,
    Version,
)
from ledger.model.state import VALIDATION_PARAMETER, hashed_key, hashed_namespace
from ledger.validation.private_expiry import EXPIRY_NAMESPACE
from tests.support.identities import COOPERATIVE
from tests.support.ledger_world import CHAINCODE, market, put
from tests.unit.audit.ledgers import DefinedWorld, audit, records_of

NAME = "me\0ters$$h"
"""Any text is the name of a collection."""
SPACE = hashed_namespace(CHAINCODE, NAME)
K, OTHER = b"k" * 32, b"o" * 32
V, NEW = b"v" * 32, b"n" * 32
MEMBERS = parse_policy("OR('CoopMSP.member')")


@pytest.fixture
def world():
    world = DefinedWorld()
    yield world
    assert world.verify_chain() == world.store.height()
    assert audit(records_of(world)).states > 0


def hashed(*writes, reads=(), metadata=()):
    collection = CollectionReadWriteSet(NAME, tuple(reads), writes, b"h" * 32, tuple(metadata))
    return ReadWriteSet((NamespaceReadWriteSet(CHAINCODE, collections=(collection,)),))


def commit(world, *results, **draft):
    return world.commit(*(world.transaction(one, **draft) for one in results))


def held(world, key=K):
    return world.store.get_state(SPACE, hashed_key(key))


def expiries(world):
    return list(world.store.range_state(EXPIRY_NAMESPACE, "", ""))


def pass_blocks(world, count):
    for _ in range(count):
        commit(world, market(writes=[put("other")]))


def define(world, **rules):
    world.define_collections(Collection(NAME, MEMBERS, **rules))


@pytest.mark.parametrize("to_live", [1, 3])
def test_a_hash_expires_after_so_many_blocks(world, to_live):
    define(world, block_to_live=to_live)
    assert commit(world, hashed(HashedWrite(K, V))) == (Code.VALID,)
    pass_blocks(world, to_live)
    assert held(world).value == V
    assert commit(world, hashed(reads=[HashedRead(K, held(world).version)])) == (Code.VALID,)
    assert held(world) is None
    assert expiries(world) == []
    assert commit(world, hashed(reads=[HashedRead(K, None)])) == (Code.VALID,)


def test_without_a_limit_nothing_expires(world):
    define(world)
    commit(world, hashed(HashedWrite(K, V)))
    pass_blocks(world, 5)
    assert held(world).value == V
    assert expiries(world) == []


def test_a_limit_beyond_all_blocks_is_no_limit(world):
    define(world, block_to_live=2**64 - 1)
    commit(world, hashed(HashedWrite(K, V)))
    assert expiries(world) == []


def test_a_value_written_again_lives_from_then_on(world):
    define(world, block_to_live=2)
    commit(world, hashed(HashedWrite(K, V)))
    pass_blocks(world, 1)
    commit(world, hashed(HashedWrite(K, NEW)))
    pass_blocks(world, 2)
    assert held(world).value == NEW
    pass_blocks(world, 1)
    assert held(world) is None


def test_a_value_written_in_the_block_of_its_expiry_stays(world):
    define(world, block_to_live=1)
    commit(world, hashed(HashedWrite(K, V)))
    pass_blocks(world, 1)
    commit(world, hashed(HashedWrite(K, NEW)))
    assert held(world).value == NEW


def test_a_value_deleted_before_leaves_nothing(world):
    define(world, block_to_live=1)
    commit(world, hashed(HashedWrite(K, V)))
    commit(world, hashed(HashedWrite(K, b"", is_delete=True)))
    assert held(world) is None
    pass_blocks(world, 2)
    assert expiries(world) == []


def test_of_two_writes_in_a_block_the_last_is_scheduled(world):
    define(world, block_to_live=1)
    commit(world, hashed(HashedWrite(K, V)), hashed(HashedWrite(K, NEW)))
    ((_, entry),) = expiries(world)
    assert entry.version == Version(world.store.height() - 1, 1)


def test_a_longer_life_begins_with_the_next_write(world):
    define(world, block_to_live=1)
    commit(world, hashed(HashedWrite(K, V)))
    define(world, block_to_live=9)
    commit(world, hashed(HashedWrite(OTHER, V)))
    pass_blocks(world, 4)
    assert held(world) is None
    assert held(world, OTHER).value == V


def test_a_purge_removes_the_hash_and_is_told_to_the_store(world):
    define(world)
    commit(world, hashed(HashedWrite(K, V)))
    purge = world.transaction(hashed(HashedWrite(K, b"", is_delete=True, is_purge=True)))
    updates = world.validate(purge).updates
    assert updates.purged == (((SPACE, hashed_key(K)), Version(world.store.height(), 0)),)
    world.commit(purge)
    assert held(world) is None


def policy_of_coop():
    raw = encode_signature_policy(parse_policy("OR('CoopMSP.peer')"))
    return HashedMetadataWrite(K, ((VALIDATION_PARAMETER, raw),))


def test_a_private_key_may_have_a_policy_of_its_own(world):
    define(world, block_to_live=20)
    commit(world, hashed(HashedWrite(K, V)))
    assert commit(
        world,
        hashed(metadata=[policy_of_coop()]),
        hashed(HashedWrite(K, NEW)),  # its policy changed earlier in the block
        hashed(metadata=[policy_of_coop()]),
        hashed(HashedWrite(OTHER, NEW)),
    ) == (
        Code.VALID,
        Code.ENDORSEMENT_POLICY_FAILURE,
        Code.ENDORSEMENT_POLICY_FAILURE,
        Code.VALID,
    )
    assert held(world).value == V
    assert held(world).metadata
    others = tuple(node for node in world.nodes(4) if node.mspid != COOPERATIVE)
    refused = commit(world, hashed(HashedWrite(K, NEW)), endorsers=others)
    assert refused == (Code.ENDORSEMENT_POLICY_FAILURE,)
    assert commit(world, hashed(HashedWrite(K, NEW)), endorsers=world.nodes(1)) == (Code.VALID,)
    assert held(world).value == NEW
    assert held(world).metadata, "a new value keeps the key's policy"


def test_metadata_of_an_absent_private_key_is_dropped(world):
    define(world)
    assert commit(world, hashed(metadata=[policy_of_coop()])) == (Code.VALID,)
    assert held(world) is None


def test_a_definition_nobody_can_read_has_no_collections(world):
    world.define_collections(Collection(NAME, MEMBERS), Collection("", MEMBERS))
    assert commit(world, hashed(HashedWrite(K, V))) == (Code.ENDORSEMENT_POLICY_FAILURE,)
