"""The state digest follows blocks and equals the digest of what is stored, whatever happened."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto.set_digest import EMPTY_SET
from ledger.errors import TransactionInvalid
from ledger.model.codes import ValidationCode as Code
from ledger.model.rwset import Version
from ledger.model.state import KeyUpdate, StateUpdates, VersionedValue
from ledger.validation.commit_hash import commitment_after
from ledger.validation.state_digest import state_hash, transaction_element, value_element
from ledger.validation.transaction_index import RecordedTransaction, recorded_transactions
from tests.support.ledger_world import LedgerWorld, decoded, delete, market, put
from tests.unit.validation.test_codes import with_channel_header

PINNED = "858b34d836707ad0f4d9ce7954323cd659652ae50ef1984c8ee33ff984947aa4"


@pytest.fixture
def world():
    return LedgerWorld()


def stored_digest(world: LedgerWorld):
    """The digest of everything that is in the database now."""
    values = [
        value_element((namespace, key), value)
        for namespace, key, value in world.store.snapshot().all_states()
    ]
    transactions = []
    for number in range(1, world.store.height()):
        for raw in world.store.block(number).entries:
            entry = decoded(raw)
            if isinstance(entry, TransactionInvalid):
                continue
            found = world.store.transaction_location(entry.tx_id)
            if found is not None:
                one = RecordedTransaction(entry.tx_id, found.tx_index, found.code)
                transactions.append(transaction_element(found.block_number, one))
    return EMPTY_SET.changed(added=[*values, *set(transactions)], removed=[])


def test_values_written_changed_and_deleted(world):
    world.commit(world.transaction(market(writes=[put("a"), put("b")])))
    assert world.store.tip().commitment.digest == stored_digest(world)
    world.commit(
        world.transaction(market(writes=[put("a", b"2")])),
        world.transaction(market(writes=[delete("b"), delete("never there")])),
        world.transaction(market(writes=[put("c")])),
        world.transaction(market(writes=[delete("c")])),
    )
    assert world.store.tip().commitment.digest == stored_digest(world)
    assert world.store.tip().commitment.digest != EMPTY_SET


def test_any_other_outcome_gives_another_commitment(world):
    """Codes, values, versions, metadata and ids: whatever differs shows."""
    value = KeyUpdate(b"2", Version(1, 0))
    base = {"a": KeyUpdate(b"1", Version(1, 0)), "b": value}
    others = [
        {"a": KeyUpdate(b"1", Version(1, 0))},
        {**base, "b": KeyUpdate(b"3", Version(1, 0))},
        {**base, "b": KeyUpdate(b"2", Version(1, 1))},
        {**base, "b": KeyUpdate(b"2", Version(1, 0), (("n", b""),))},
        {"a": base["a"], "c": value},
    ]
    used = RecordedTransaction("id", 0, Code.VALID)

    def hash_of(keys, codes=(Code.VALID,), recorded=(used,)):
        after = commitment_after(
            world.store.tip().commitment,
            genesis_hash=world.store.genesis_hash,
            block_number=1,
            codes=codes,
            outcome=bytes(32),
            updates=StateUpdates(keys={("ns", key): update for key, update in keys.items()}),
            recorded=recorded,
            state=world.store,
        )
        return after.commit_hash

    found = [hash_of(base), *map(hash_of, others)]
    found += [hash_of(base, codes=codes) for codes in ((), (Code.BAD_RWSET,), (Code.VALID,) * 2)]
    found += [hash_of(base, recorded=()), hash_of(base, recorded=(replace(used, tx_index=1),))]
    assert len(set(found)) == len(found)
    assert hash_of(dict(reversed(base.items()))) == hash_of(base)
    assert hash_of({**base, "never there": KeyUpdate(None, Version(1, 0))}) == hash_of(base)


def test_used_ids_are_part_of_it(world):
    before = state_hash(world.store.tip().commitment.digest)
    world.commit(world.transaction())
    assert state_hash(world.store.tip().commitment.digest) != before
    assert world.store.tip().commitment.digest == stored_digest(world)


def test_repeated_ids_enter_once(world):
    entry = world.transaction(market(writes=[put("a")]))
    world.commit(entry, entry)
    world.commit(entry)
    assert world.store.tip().commitment.digest == stored_digest(world)


def test_a_recorded_id_is_never_recorded_again(world):
    """Its creator may sign it once more for another channel: that must not hide the first."""
    entry = world.transaction(market(writes=[put("a")]))
    world.commit(entry)
    tx_id = decoded(entry).tx_id
    first = world.store.transaction_location(tx_id)
    elsewhere = with_channel_header(world, entry, channel_id="elsewhere")
    assert world.commit(elsewhere) == (Code.INVALID_ENDORSER_TRANSACTION,)
    assert world.store.transaction_location(tx_id) == first
    assert world.store.tip().commitment.digest == stored_digest(world)


def test_only_codes_that_prove_the_id_record_it(world):
    entry = decoded(world.transaction())

    def records(code: Code) -> bool:
        return bool(recorded_transactions([entry], [code], lambda _: False))

    assert {code for code in Code if records(code)} == {
        Code.VALID,
        Code.INVALID_CONFIG_TRANSACTION,
        Code.ENDORSEMENT_POLICY_FAILURE,
        Code.MVCC_READ_CONFLICT,
        Code.PHANTOM_READ_CONFLICT,
        Code.TARGET_CHAIN_NOT_FOUND,
        Code.INVALID_CHAINCODE,
        Code.ILLEGAL_WRITESET,
        Code.INVALID_WRITESET,
    }
    assert not recorded_transactions([entry], [Code.MVCC_READ_CONFLICT], lambda _: True)


VALUES = st.builds(
    VersionedValue,
    value=st.binary(max_size=2),
    version=st.builds(Version, st.integers(0, 2), st.integers(0, 2)),
    metadata=st.lists(st.tuples(st.text("ab", max_size=2), st.binary(max_size=1)), max_size=2).map(
        tuple
    ),
)
KEYS = st.tuples(st.text("ab", max_size=2), st.text("ab", max_size=2))


@given(first=st.tuples(KEYS, VALUES), second=st.tuples(KEYS, VALUES))
def test_equal_elements_mean_equal_values(first, second):
    assert (value_element(*first) == value_element(*second)) == (first == second)


def test_the_state_hash_is_pinned():
    """A change of this value forks a running network: peers of two versions would disagree."""
    value = VersionedValue(b"1", Version(5, 2), (("n", b"m"),))
    digest = EMPTY_SET.changed(
        added=[
            value_element(("ns", "key"), value),
            transaction_element(5, RecordedTransaction("ab" * 32, 2, Code.MVCC_READ_CONFLICT)),
        ],
        removed=[],
    )
    assert state_hash(digest).hex() == PINNED
