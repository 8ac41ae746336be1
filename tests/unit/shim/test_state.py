"""State, keys, history, events and time as a contract sees them; the test ledger's own rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.shim import ContractError
from chaincode.shim.composite_keys import (
    composite_range,
    create_composite_key,
    split_composite_key,
)
from chaincode.shim.testing import TestLedger
from tests.unit.shim.sample_contracts import Shelf, Trouble

parts = st.text(
    st.characters(exclude_characters="\x00\U0010ffff", exclude_categories=["Cs"]), max_size=8
)


@pytest.fixture
def ledger():
    return TestLedger([Shelf(), Trouble()], start="2026-03-29T00:30:00Z")


@pytest.fixture
def alice(ledger):
    return ledger.client("CoopMSP", "alice")


def test_a_transaction_does_not_read_its_own_write(alice):
    alice.submit("put", "k", "old")
    assert alice.submit("put_then_get", "k", "new") == "old"
    assert alice.evaluate("get", "k") == "new"


def test_several_keys_are_read_in_the_order_asked(alice):
    alice.submit("put", "a", "1")
    alice.submit("put", "b", "2")
    assert alice.submit("move", ["b", "missing", "a"], "target") == 3
    assert alice.evaluate("get", "target") == "2++1"


def test_a_scan_reads_every_page_in_order(alice):
    alice.submit("fill", "reading", 250)
    alice.submit("fill", "readinz", 3)
    assert alice.evaluate("count", "reading") == [f"{n:05}" for n in range(250)]


def test_history_is_newest_first_and_marks_deletes(alice, ledger):
    alice.submit("put", "k", "1")
    ledger.advance(hours=1)
    alice.submit("remove", "k")
    removed, put = alice.evaluate("history", "k")
    assert (removed[1], removed[3]) == ("", True)
    assert (put[1], put[3]) == ("1", False)
    assert removed[2] - put[2] == 3600 * 10**9


def test_time_is_the_transactions_and_in_utc(alice, ledger):
    ledger.at("2026-03-29T03:15:00+02:00")
    assert alice.evaluate("when") == "2026-03-29T01:15:00+00:00"


def test_events_are_committed_with_their_transaction(alice, ledger):
    alice.simulate("put", "k", "v")
    assert ledger.events == []
    alice.submit("put", "k", "v")
    assert [(event.name, event.payload) for event in ledger.events] == [("put", b"k")]


def test_a_refused_transaction_changes_nothing(alice, ledger):
    with pytest.raises(ContractError):
        alice.submit("trouble:refuse")
    assert (ledger.keys(), ledger.events, ledger.height) == ([], [], 1)


def test_of_two_simulations_on_one_key_the_first_wins(alice, ledger):
    alice.submit("put", "a", "1")
    first, second = (alice.simulate("move", ["a"], "a") for _ in range(2))
    assert ledger.commit([first, second]) == ["VALID", "MVCC_READ_CONFLICT"]


def test_a_row_that_appears_in_a_scanned_range_is_a_phantom(alice, ledger):
    counting = alice.simulate("count", "t")
    alice.submit("fill", "t", 1)
    assert ledger.commit([counting]) == ["PHANTOM_READ_CONFLICT"]


def test_blind_writes_do_not_conflict(alice, ledger):
    both = [alice.simulate("put", "k", value) for value in ("1", "2")]
    assert ledger.commit(both) == ["VALID", "VALID"]
    assert ledger.state("k") == b"2"


def test_a_snapshot_brings_everything_back(alice, ledger):
    alice.submit("put", "k", "1")
    snapshot = ledger.snapshot()
    alice.submit("put", "k", "2")
    ledger.advance(days=1)
    ledger.restore(snapshot)
    assert ledger.state("k") == b"1"
    assert alice.evaluate("when") == "2026-03-29T00:30:00+00:00"
    assert len(ledger.events) == 1


@pytest.mark.parametrize("key", ["", "\x00", "\x00abc"])
def test_keys_that_fabric_refuses_are_refused(alice, key):
    with pytest.raises(ContractError, match="INVALID_KEY"):
        alice.submit("put", key, "v")


@given(parts.filter(bool), st.lists(parts, max_size=4))
def test_a_composite_key_splits_into_what_it_was_made_of(object_type, attributes):
    key = create_composite_key(object_type, attributes)
    assert split_composite_key(key) == (object_type, attributes)
    for taken in range(len(attributes) + 1):
        start, end = composite_range(object_type, attributes[:taken])
        assert start <= key < end


def test_a_key_of_another_type_is_outside_the_scan():
    start, end = composite_range("offer", ["a"])
    assert not start <= create_composite_key("offer", ["ab"]) < end
    assert not start <= create_composite_key("offers", ["a"]) < end


@pytest.mark.parametrize("attribute", ["\x00", "a\U0010ffff"])
def test_separators_inside_an_attribute_are_refused(attribute):
    with pytest.raises(ContractError, match="INVALID_KEY"):
        create_composite_key("offer", [attribute])
