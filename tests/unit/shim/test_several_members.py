"""The test ledger with several members: policies, private data, other chaincodes; real codes."""

import hashlib
from dataclasses import replace

import pytest

from chaincode.shim import ContractError
from chaincode.shim.testing import (
    ENDORSEMENT_POLICY_FAILURE,
    MVCC_READ_CONFLICT,
    VALID,
    EndorsementMismatch,
    InvalidTransaction,
    TestChaincode,
    TestLedger,
    collection,
    make_identity,
)
from ledger.model.codec_header import encode_identity
from tests.unit.shim.deal_contract import DEALS, Deals, Tokens
from tests.unit.shim.sample_contracts import Trouble

PRICE = {"price": b"42"}


def deals(**options):
    options = {"members": "ABC", "collections": [collection(DEALS, "A", "B")]} | options
    return TestLedger([Deals(), Trouble()], **options)


@pytest.fixture
def ledger():
    return deals()


@pytest.fixture
def alice(ledger):
    return ledger.client("A", "alice")


@pytest.fixture
def carol(ledger):
    return ledger.client("C", "carol")


# -- policies -------------------------------------------------------------------------------------


def test_the_default_policy_asks_one_member(alice):
    assert len(alice.simulate("offer", "d1", "A", "B").endorsements) == 1


@pytest.mark.parametrize(
    ("policy", "needed"),
    [("MAJORITY", 2), ("AND('A.peer', 'B.peer', 'C.peer')", 3), ("OR('C.peer')", 3)],
)
def test_as_many_members_endorse_as_the_policy_needs(policy, needed):
    ledger = deals(policy=policy)
    simulation = ledger.client("A").simulate("offer", "d1", "A", "B")
    assert len(simulation.endorsements) == needed
    assert ledger.commit([simulation]) == [VALID]


def test_too_few_endorsers_fail_the_policy_and_change_nothing():
    ledger = deals(policy="MAJORITY")
    with pytest.raises(InvalidTransaction) as refused:
        ledger.client("A").submit("offer", "d1", "A", "B", endorsers=["A"])
    assert refused.value.code == ENDORSEMENT_POLICY_FAILURE
    assert ledger.keys() == []


def test_a_keys_own_policy_takes_the_place_of_the_chaincodes(ledger, alice):
    alice.submit("offer", "d1", "B", "C")
    assert alice.evaluate("signers", "d1") == ["B", "C"]
    alone = alice.simulate("accept", "d1", endorsers=["A", "B"])
    assert ledger.commit([alone]) == [ENDORSEMENT_POLICY_FAILURE]
    alice.submit("accept", "d1")
    assert len(alice.simulate("accept", "d1").endorsements) == 3  # A was asked first
    assert b"accepted" in ledger.state("d1")


def test_peers_that_get_other_results_are_found(alice):
    with pytest.raises(EndorsementMismatch, match=r"peer of B got .*keys written: \['peer'\]"):
        alice.simulate("whose_peer", endorsers=["A", "B"])


def test_a_member_nobody_named_before_joins(ledger):
    ledger.client("D", "dora").submit("offer", "d1", "D", "A")
    assert ledger.keys() == ["d1"]


def test_only_an_authoritys_certificate_and_the_right_key_make_a_creator(ledger):
    call = (b"offer", b"d1", b"A", b"B")
    other = make_identity("Z", "alice")
    creator = encode_identity("A", other.certificate_pem)
    forged = replace(other, mspid="A", creator=creator)
    keyless = replace(make_identity("A", "alice"), private_key=None)
    for identity in (forged, keyless):
        simulation = ledger.simulate(identity, call)
        assert ledger.commit([simulation]) == ["BAD_CREATOR_SIGNATURE"]


def test_anyone_can_be_impersonated_with_a_certificate_alone(ledger):
    certificate = make_identity("FarMSP", "governor", {"role": "admin"}).certificate_pem
    governor = ledger.impersonate("B", certificate)
    governor.submit("offer", "d1", "A", "B")
    assert ledger.keys() == ["d1"]
    governor.submit("set_price", DEALS, "d1", transient=PRICE)
    assert governor.evaluate("price", DEALS, "d1") == 42


def test_a_transaction_commits_once(ledger, alice):
    simulation = alice.simulate("set_price", DEALS, "d1", transient=PRICE)
    assert ledger.commit([simulation, simulation]) == [VALID, "DUPLICATE_TXID"]
    assert ledger.commit([simulation]) == ["DUPLICATE_TXID"]


# -- private data ---------------------------------------------------------------------------------


def test_private_values_stay_with_the_members_and_hashes_are_public(ledger, alice, carol):
    alice.submit("set_price", DEALS, "d1", transient=PRICE)
    assert alice.evaluate("price", DEALS, "d1") == 42
    assert ledger.private_state("B", DEALS, "d1") == b"42"
    assert ledger.private_state("C", DEALS, "d1") is None
    assert carol.evaluate("price_hash", DEALS, "d1") == hashlib.sha256(b"42").hexdigest()
    assert ledger.keys() == []


def test_who_is_no_member_neither_reads_nor_writes(ledger, alice, carol):
    alice.submit("set_price", DEALS, "d1", transient=PRICE)
    with pytest.raises(ContractError, match="does not have read access permission"):
        carol.evaluate("price", DEALS, "d1")
    with pytest.raises(ContractError, match="does not have write access permission"):
        carol.submit("set_price", DEALS, "d2", transient=PRICE)


def test_a_peer_that_is_no_member_lacks_the_value():
    ledger = deals(collections=[collection(DEALS, "A", "B", member_only_read=False)])
    ledger.client("A").submit("set_price", DEALS, "d1", transient=PRICE)
    with pytest.raises(ContractError, match="public hash version is not available"):
        ledger.client("C").evaluate("price", DEALS, "d1")
    majority = deals(policy="MAJORITY")
    majority.client("A").submit("set_price", DEALS, "d1", transient=PRICE)
    assert len(majority.client("A").simulate("raise_price", DEALS, "d1").endorsements) == 2


def test_private_reads_conflict_like_public_ones(ledger, alice):
    alice.submit("set_price", DEALS, "d1", transient=PRICE)
    both = [alice.simulate("raise_price", DEALS, "d1") for _ in range(2)]
    assert ledger.commit(both) == [VALID, MVCC_READ_CONFLICT]
    assert alice.evaluate("prices", DEALS) == {"d1": "43"}


@pytest.mark.parametrize("purge", ["true", "false"])
def test_a_private_value_can_be_removed(ledger, alice, carol, purge):
    alice.submit("set_price", DEALS, "d1", transient=PRICE)
    alice.submit("forget", DEALS, "d1", purge)
    assert ledger.private_state("A", DEALS, "d1") is None
    assert carol.evaluate("price_hash", DEALS, "d1") is None


def test_private_values_live_as_many_blocks_as_the_collection_says():
    ledger = deals(collections=[collection(DEALS, "A", block_to_live=2)])
    alice = ledger.client("A")
    alice.submit("set_price", DEALS, "d1", transient=PRICE)
    for number in range(2):
        alice.submit("offer", f"x{number}", "A", "B")
        assert ledger.private_state("A", DEALS, "d1") == b"42"
    alice.submit("offer", "x3", "A", "B")
    assert ledger.private_state("A", DEALS, "d1") is None
    assert alice.evaluate("price_hash", DEALS, "d1") is None


def test_every_member_has_a_collection_of_its_own(ledger, alice):
    alice.submit("note", transient={"text": b"mine"})
    assert ledger.private_state("A", "_implicit_org_A", "note") == b"mine"
    assert ledger.private_state("B", "_implicit_org_A", "note") is None


def test_an_unknown_collection_is_refused(alice):
    with pytest.raises(ContractError, match="collection"):
        alice.submit("set_price", "nothing", "d1", transient=PRICE)


def test_a_collections_policy_and_a_private_keys_policy_count(ledger):
    strict = deals(collections=[collection(DEALS, "A", "B", policy="AND('A.peer', 'B.peer')")])
    alice = strict.client("A")
    assert len(alice.simulate("set_price", DEALS, "d1", transient=PRICE).endorsements) == 2
    free = ledger.client("A")
    free.submit("set_price", DEALS, "d1", transient=PRICE)
    free.submit("signed_price", DEALS, "d1")
    assert len(free.simulate("raise_price", DEALS, "d1").endorsements) == 2


# -- queries --------------------------------------------------------------------------------------


def test_rich_queries_find_by_content(alice):
    alice.submit("offer", "d1", "A", "B")
    alice.submit("offer", "d2", "A", "C")
    alice.submit("accept", "d2")
    assert alice.evaluate("in_state", "accepted") == ["d2"]
    assert alice.evaluate("in_state", "offered") == ["d1"]


def test_pages_continue_at_their_bookmark(alice):
    for number in range(5):
        alice.submit("offer", f"d{number}", "A", "B")
    first, bookmark = alice.evaluate("page", 2, "")
    second, bookmark = alice.evaluate("page", 2, bookmark)
    third, end = alice.evaluate("page", 2, bookmark)
    assert (first, second, third, end) == (["d0", "d1"], ["d2", "d3"], ["d4"], "")


# -- other chaincodes -----------------------------------------------------------------------------


@pytest.fixture
def paying():
    return deals(chaincodes={"tokens": TestChaincode([Tokens()], policy="OR('B.peer')")})


def test_another_chaincode_runs_in_the_same_transaction_under_its_own_policy(paying):
    alice = paying.client("A")
    simulation = alice.simulate("pay", "tokens", "d1", "")
    assert simulation.result == "200  done"
    assert [n.namespace for n in simulation.results.namespaces] == [
        "_lifecycle",
        "contract",
        "tokens",
    ]
    assert len(simulation.endorsements) == 2  # tokens wants B
    assert paying.commit([simulation]) == [VALID]


@pytest.mark.parametrize(
    ("chaincode", "channel", "told"),
    [
        ("tokens", "other", "channel 'other' is not on this peer"),
        ("nothing", "", "nothing has been successfully defined"),
        ("contract", "", "is running this transaction already"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused(paying, chaincode, channel, told):
    with pytest.raises(ContractError, match=told):
        paying.client("A").submit("pay", chaincode, "d1", channel)


def test_a_called_chaincodes_refusal_is_an_answer(paying):
    told = paying.client("A").evaluate("pay", "tokens", "bad", "")
    assert told == "402 NO_MONEY: the account is empty "


# -- what goes wrong ------------------------------------------------------------------------------


def test_a_bug_shows_its_exception(alice):
    with pytest.raises(ContractError) as refusal:
        alice.submit("trouble:bug", "secret")
    assert isinstance(refusal.value.__cause__, ValueError)
    assert str(refusal.value.__cause__) == "secret"


def test_states_compare_by_what_they_hold(ledger, alice):
    alice.submit("offer", "d1", "A", "B")
    before = ledger.snapshot()
    alice.submit("accept", "d1")
    after = ledger.snapshot()
    ledger.restore(before)
    assert ledger.snapshot().state == before.state
    assert after.state != before.state
    assert (before.height, after.height) == (2, 3)
