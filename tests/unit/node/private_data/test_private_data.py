"""Private data from endorsement to purge, between peers of four members.

CoopMSP (1) and the second member (2) are members of the collection, the others are not.
"""

import asyncio

import pytest

from ledger.crypto.hashing import sha256
from ledger.crypto.policy_text import parse_policy
from ledger.endorsement.peer_session import ExecutionFailed
from ledger.errors import Reason
from ledger.model.private_collections import Collection, implicit_name
from ledger.model.private_rwset import (
    PrivateCollectionSet,
    PrivateReadWriteSet,
    encode_private_read_write_set,
    encode_private_writes,
)
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedWrite,
    KeyWrite,
    NamespaceReadWriteSet,
    ReadWriteSet,
)
from ledger.model.state import VALIDATION_PARAMETER
from ledger.node.private_data import requests as private_requests
from ledger.node.private_data import settle_wait
from ledger.storage.transient_store import TransientLimits
from ledger.wire.validator_pb2 import Item, PrivateDataOffer, PrivateDataRequest, PrivateSetName
from tests.support.ledger_world import CHAINCODE
from tests.support.private_stage import PrivateStage, tx_id_of

pytestmark = pytest.mark.anyio

HELD, ALSO_HELD, STRANGER, OTHER_STRANGER = 1, 2, 3, 4


@pytest.fixture
async def stage():
    made = PrivateStage()
    yield made
    made.close()


def prices(stage, **rules):
    mspids = [stage.peers[n].mspid for n in (HELD, ALSO_HELD)]
    policy = parse_policy(f"OR('{mspids[0]}.member', '{mspids[1]}.member')")
    return Collection("prices", policy, **{"maximum_peer_count": 1, **rules})


def writes(**values):
    def work(simulator):
        for key, value in values.items():
            simulator.private.put(CHAINCODE, "prices", key, value)

    return work


def purges(key):
    return lambda simulator: simulator.private.purge(CHAINCODE, "prices", key)


def values(stage, key):
    return [peer.value(key) for peer in stage.peers.values()]


def stored_bytes(peer):
    return b"".join(key + value for key, value in peer.world.kv.iterate(b"", b"\xff" * 8))


# -- the usual way --------------------------------------------------------------------------------


async def test_members_have_the_value_with_the_block_and_nobody_else_has_it(stage):
    stage.define(prices(stage))
    stage.commit(await stage.endorse(writes(a=b"a-secret-price")))
    assert values(stage, "a") == [b"a-secret-price"] * 2 + [None] * 2
    assert [peer.missing() for peer in stage.peers.values()] == [0] * 4
    for stranger in (STRANGER, OTHER_STRANGER):
        assert b"a-secret-price" not in stored_bytes(stage.peers[stranger])


async def test_every_peer_has_one_state_whatever_it_holds(stage):
    stage.define(prices(stage, block_to_live=2))
    stage.commit(await stage.endorse(writes(a=b"1", b=b"2")))
    stage.commit(await stage.endorse(purges("a")))
    stage.pass_blocks(3)
    assert len({peer.world.store.tip().commit_hash for peer in stage.peers.values()}) == 1


async def test_what_waited_for_the_block_is_gone_with_it(stage):
    stage.define(prices(stage))
    entry, tx_id, private = stage.simulate(writes(a=b"1"))
    await stage.peers[HELD].dissemination.keep(tx_id, private)
    await stage.settle()
    place = (tx_id, CHAINCODE, "prices")
    set_hash = sha256(private.collections[0].raw)
    assert stage.peers[ALSO_HELD].transient.find(*place, set_hash) is not None
    stage.commit(entry)
    for peer in stage.peers.values():
        assert peer.transient.find(*place, set_hash) is None


async def test_a_value_replaced_and_deleted(stage):
    stage.define(prices(stage))
    stage.commit(await stage.endorse(writes(a=b"1", b=b"2")))
    stage.commit(await stage.endorse(writes(a=b"3", b=b"")))
    assert values(stage, "a")[:2] == [b"3", b"3"]
    assert values(stage, "b") == [None] * 4


async def test_metadata_alone_leaves_the_value_readable(stage):
    stage.define(prices(stage))
    stage.commit(await stage.endorse(writes(a=b"1")))

    def set_policy(simulator):
        name = VALIDATION_PARAMETER
        simulator.private.put_metadata(CHAINCODE, "prices", "a", name, b"")

    stage.commit(await stage.endorse(set_policy))
    stage.simulate(lambda s: s.private.get(CHAINCODE, "prices", "a"))
    assert values(stage, "a")[:2] == [b"1", b"1"]


async def test_of_two_writes_in_a_block_the_last_is_in_force(stage):
    stage.define(prices(stage))
    stage.commit(await stage.endorse(writes(a=b"1")), await stage.endorse(writes(a=b"2")))
    assert values(stage, "a")[:2] == [b"2", b"2"]


async def test_an_implicit_collection_is_its_member_s_alone(stage):
    name = implicit_name(stage.peers[HELD].mspid)
    entry = await stage.endorse(lambda s: s.private.put(CHAINCODE, name, "a", b"1"))
    stage.commit(entry)
    assert [peer.value("a", name) for peer in stage.peers.values()] == [b"1", None, None, None]


# -- handing out ----------------------------------------------------------------------------------


async def test_only_members_peers_are_offered_anything_and_no_more_than_the_maximum(stage):
    stage.define(prices(stage))
    await stage.endorse(writes(a=b"1"))
    assert stage.peers[HELD].links.of("private_data_offer") == [ALSO_HELD]
    await stage.endorse(writes(a=b"1"), on=STRANGER)
    assert len(stage.peers[STRANGER].links.of("private_data_offer")) == 1


@pytest.mark.parametrize("required", [1, 2])
async def test_an_endorsement_needs_enough_peers_that_hold_the_values(stage, required):
    stage.define(prices(stage, required_peer_count=required, maximum_peer_count=2))
    _, tx_id, private = stage.simulate(writes(a=b"1"))
    if required == 1:
        await stage.peers[HELD].dissemination.keep(tx_id, private)
        stage.down.add(ALSO_HELD)
    text = f"required to disseminate to at least {required} peers, but know of only"
    with pytest.raises(ExecutionFailed, match=text):
        await stage.peers[HELD].dissemination.keep(tx_id, private)


async def test_a_peer_that_keeps_nothing_is_not_counted(stage):
    stage.define(prices(stage, required_peer_count=1))
    _, tx_id, private = stage.simulate(writes(a=b"1"))

    def refuse(answer):
        answer.private_data_receipt.reason = Reason.OVERLOADED

    stage.lies[ALSO_HELD] = refuse
    with pytest.raises(ExecutionFailed, match="Failed disseminating 1 out of 1"):
        await stage.peers[HELD].dissemination.keep(tx_id, private)


def offer_of(private, tx_id="ab" * 32):
    return PrivateDataOffer(
        request_id=1, tx_id=tx_id, private_rwset=encode_private_read_write_set(private)
    )


async def receipt_of(peer, offer, sender=HELD):
    answers = []
    await peer.dissemination.on_offer(sender, offer, lambda item: bool(answers.append(item)))
    (answer,) = answers
    return answer.private_data_receipt


async def test_private_data_that_does_not_belong_here_is_refused(stage):
    stage.define(prices(stage))
    _, tx_id, private = stage.simulate(writes(a=b"1"))
    peer = stage.peers[STRANGER]
    receipt = await receipt_of(peer, offer_of(private, tx_id))
    assert receipt.reason == Reason.POLICY_NOT_SATISFIED
    assert peer.rejected == [], "definitions may just have changed: nobody is blamed"
    assert peer.transient.settled([tx_id], height=2) == []
    receipt = await receipt_of(stage.peers[ALSO_HELD], offer_of(private, "no id"))
    assert receipt.reason == Reason.MALFORMED
    huge = PrivateReadWriteSet((PrivateCollectionSet(CHAINCODE, "prices", bytes(5_000_000)),))
    receipt = await receipt_of(stage.peers[ALSO_HELD], offer_of(huge))
    assert receipt.reason == Reason.OVERSIZED
    assert [sender for sender, _ in stage.peers[ALSO_HELD].rejected] == [HELD, HELD]


# -- lacking and fetching -------------------------------------------------------------------------


async def test_a_peer_that_was_not_reached_commits_the_block_and_fetches_the_value(stage):
    stage.define(prices(stage))
    stage.down.add(ALSO_HELD)
    entry = await stage.endorse(writes(a=b"1"))
    stage.commit(entry)
    late = stage.peers[ALSO_HELD]
    assert late.value("a") is None
    assert late.missing() == 1
    stage.down.clear()
    late.reconciler.on_connected()
    await late.until(lambda: late.missing() == 0)
    assert late.value("a") == b"1"


async def test_proposals_wait_for_values_that_are_on_their_way(stage):
    stage.define(prices(stage, maximum_peer_count=0))
    stage.commit(await stage.endorse(writes(a=b"1")))
    late = stage.peers[ALSO_HELD]
    assert late.value("a") is None
    running = asyncio.get_running_loop().create_task(late.reconciler.run())
    await late.reconciler.settled()
    assert late.value("a") == b"1"
    running.cancel()


async def test_proposals_do_not_wait_for_ever(stage, monkeypatch):
    monkeypatch.setattr(settle_wait, "SETTLE_WAIT_MS", 1)
    stage.define(prices(stage, maximum_peer_count=0))
    stage.commit(await stage.endorse(writes(a=b"1")))
    await stage.peers[ALSO_HELD].reconciler.settled()


async def test_an_endorser_that_is_no_member_still_has_what_the_members_lack(stage):
    stage.define(prices(stage, maximum_peer_count=0))
    entry, tx_id, private = stage.simulate(writes(a=b"1"), on=STRANGER)
    await stage.peers[STRANGER].dissemination.keep(tx_id, private)
    stage.commit(entry)
    for consenter_id in (HELD, ALSO_HELD):
        late = stage.peers[consenter_id]
        assert late.value("a") is None
        await late.until(lambda late=late: late.missing() == 0)
        assert late.value("a") == b"1"


async def endorsed_by_a_stranger(stage, **written):
    entry, tx_id, private = stage.simulate(writes(**written), on=STRANGER)
    await stage.peers[STRANGER].dissemination.keep(tx_id, private)
    await stage.settle()
    return entry


async def test_an_endorser_that_is_no_member_forgets_with_the_block_what_a_member_has(stage):
    stage.define(prices(stage))
    entry = await endorsed_by_a_stranger(stage, a=b"a-secret-price")
    assert b"a-secret-price" in stored_bytes(stage.peers[STRANGER])
    stage.commit(entry)
    assert b"a-secret-price" not in stored_bytes(stage.peers[STRANGER])


async def test_an_endorser_that_is_no_member_forgets_soon_what_no_member_has(stage):
    stage.define(prices(stage))
    stage.down |= {HELD, ALSO_HELD}
    stage.commit(await endorsed_by_a_stranger(stage, a=b"a-secret-price"))
    stage.pass_blocks(TransientLimits().blocks_for_members_max)
    assert b"a-secret-price" in stored_bytes(stage.peers[STRANGER])
    stage.pass_blocks(1)
    assert b"a-secret-price" not in stored_bytes(stage.peers[STRANGER])


@pytest.mark.parametrize("is_same_block", [False, True])
async def test_a_purge_reaches_what_an_endorser_that_is_no_member_holds(stage, is_same_block):
    stage.define(prices(stage, maximum_peer_count=0))
    entry = await endorsed_by_a_stranger(stage, a=b"a-secret-price", b=b"kept")
    purge = await stage.endorse(purges("a"))
    for block in [[entry, purge]] if is_same_block else [[entry], [purge]]:
        stage.commit(*block)
    assert b"a-secret-price" not in stored_bytes(stage.peers[STRANGER])
    late = stage.peers[ALSO_HELD]
    await late.until(lambda: late.missing() == 0)
    assert (late.value("a"), late.value("b")) == (None, b"kept")


async def test_a_purge_before_a_write_spares_it(stage):
    stage.define(prices(stage, maximum_peer_count=0))
    entry = await endorsed_by_a_stranger(stage, a=b"new")
    stage.commit(await stage.endorse(purges("a")), entry)
    late = stage.peers[ALSO_HELD]
    await late.until(lambda: late.missing() == 0)
    assert late.value("a") == b"new"


async def test_what_was_replaced_meanwhile_is_fetched_and_the_newer_value_stays(stage):
    stage.define(prices(stage))
    stage.down.add(ALSO_HELD)
    stage.commit(await stage.endorse(writes(a=b"1", b=b"1")))
    stage.commit(await stage.endorse(writes(a=b"2")))
    late = stage.peers[ALSO_HELD]
    stage.down.clear()
    late.reconciler.on_connected()
    await late.until(lambda: late.missing() == 0)
    assert (late.value("a"), late.value("b")) == (b"2", b"1")


async def test_a_value_of_before_does_not_outlive_its_hash(stage):
    stage.define(prices(stage))
    stage.commit(await stage.endorse(writes(a=b"1")))
    stage.down.add(ALSO_HELD)
    stage.commit(await stage.endorse(writes(a=b"2")))
    assert stage.peers[ALSO_HELD].value("a") is None


async def test_who_is_no_member_gets_nothing(stage):
    stage.define(prices(stage))
    entry = await stage.endorse(writes(a=b"1"))
    stage.commit(entry)
    name = PrivateSetName(
        block_number=2, tx_id=tx_id_of(entry), namespace=CHAINCODE, collection="prices"
    )
    request = PrivateDataRequest(wanted=[name])
    request.page.namespace, request.page.collection = CHAINCODE, "prices"
    for sender, finds in ((STRANGER, False), (ALSO_HELD, True)):
        answer = stage.peers[HELD].requests.answer(sender, request)
        assert bool(answer.found) is finds
        assert bool(answer.values) is finds


async def test_too_much_at_once_is_refused(stage):
    request = PrivateDataRequest(wanted=[PrivateSetName()] * 101)
    await stage.peers[HELD].requests.on_request(ALSO_HELD, request, lambda _: True)
    ((sender, error),) = stage.peers[HELD].rejected
    assert (sender, error.reason) == (ALSO_HELD, Reason.OVERSIZED)


async def test_who_asks_without_waiting_for_answers_is_refused(stage):
    peer, answers = stage.peers[HELD], []
    asked = [
        peer.requests.on_request(ALSO_HELD, PrivateDataRequest(), answers.append) for _ in range(6)
    ]
    await asyncio.gather(*asked)
    assert len(answers) == 4
    assert [error.reason for _, error in peer.rejected] == [Reason.OVERLOADED] * 2


FALSE = encode_private_writes([KeyWrite("a", b"false")], ())
ADDED = encode_private_writes([KeyWrite("a", b"1"), KeyWrite("z", b"added")], ())


@pytest.mark.parametrize(
    ("raw", "is_blamed"),
    [
        (FALSE, True),
        (ADDED, True),
        (b"\xff", True),
        (encode_private_writes([KeyWrite("a", b"1"), KeyWrite("a", b"1")], ()), True),
        (encode_private_writes([], ["a"]), True),
        # As a member that just purged the key would answer; the value stays missing.
        (encode_private_writes([], ()), False),
    ],
)
async def test_false_private_data_is_not_kept(stage, raw, is_blamed):
    stage.define(prices(stage, maximum_peer_count=0))

    def lie(answer):
        for found in answer.private_data_response.found:
            found.rwset = raw

    stage.commit(await stage.endorse(writes(a=b"1")))
    late = stage.peers[ALSO_HELD]
    stage.lies[HELD] = lie
    await late.until(lambda: late.reconciler._settling.is_over)
    assert late.value("a") is None
    assert late.missing() == 1
    assert b"false" not in stored_bytes(late)
    assert b"added" not in stored_bytes(late)
    assert bool(late.rejected) is is_blamed
    stage.lies.clear()
    late.reconciler.on_missing()
    await late.until(lambda: late.missing() == 0)
    assert late.value("a") == b"1"


async def test_answers_nobody_asked_for_are_ignored(stage):
    stage.define(prices(stage, maximum_peer_count=0))
    stage.commit(await stage.endorse(writes(a=b"1")))
    late = stage.peers[ALSO_HELD]
    answer = Item()
    answer.private_data_response.request_id = 1
    answer.private_data_response.found.add(rwset=FALSE)
    late.requests.on_response(STRANGER, answer.private_data_response)
    late.dissemination.on_receipt(STRANGER, answer.private_data_receipt)
    assert late.missing() == 1

    def beyond(item):
        item.private_data_response.found.add(index=7, rwset=FALSE)

    stage.lies[HELD] = beyond
    await late.until(lambda: bool(late.rejected))
    assert late.rejected[0][1].reason is Reason.MALFORMED


async def test_endorsers_that_sign_hashes_of_something_else_leave_no_value(stage):
    stage.define(prices(stage))
    _, _, private = stage.simulate(writes(a=b"a-secret-price"))
    false = CollectionReadWriteSet(
        collection="prices",
        hashed_reads=(),
        hashed_writes=(HashedWrite(sha256(b"a"), sha256(b"another price")),),
        private_rwset_hash=sha256(private.collections[0].raw),
    )
    results = ReadWriteSet((NamespaceReadWriteSet(CHAINCODE, collections=(false,)),))
    entry = stage.peers[HELD].world.transaction(results)
    await stage.peers[HELD].dissemination.keep(tx_id_of(entry), private)
    await stage.settle()
    stage.commit(entry)
    for peer in stage.peers.values():
        assert peer.value("a") is None
        assert b"a-secret-price" not in stored_bytes(peer)
        assert peer.missing() == 0, "nobody has a set that fits"


# -- expiry and purge -----------------------------------------------------------------------------


async def test_values_and_sets_expire_with_the_collection_s_block_to_live(stage):
    stage.define(prices(stage, block_to_live=2))
    stage.commit(await stage.endorse(writes(a=b"a-secret-price")))
    stage.pass_blocks(2)
    assert values(stage, "a")[:2] == [b"a-secret-price"] * 2
    stage.pass_blocks(1)
    assert values(stage, "a") == [None] * 4
    for peer in stage.peers.values():
        assert b"a-secret-price" not in stored_bytes(peer)


async def test_what_expired_is_not_fetched_any_more(stage):
    stage.define(prices(stage, block_to_live=1))
    stage.down.add(ALSO_HELD)
    stage.commit(await stage.endorse(writes(a=b"1")))
    stage.pass_blocks(2)
    late = stage.peers[ALSO_HELD]
    assert late.missing() == 1
    stage.down.clear()
    late.reconciler.on_connected()
    await late.until(lambda: late.missing() == 0)
    assert late.links.of("private_data_request") == []


async def test_a_purge_removes_every_value_the_key_ever_had(stage):
    stage.define(prices(stage))
    stage.commit(await stage.endorse(writes(a=b"a-secret-price", b=b"kept")))
    stage.commit(await stage.endorse(writes(a=b"a-later-price")))
    stage.commit(await stage.endorse(purges("a")))
    assert values(stage, "a") == [None] * 4
    for peer in stage.peers.values():
        assert b"a-secret-price" not in stored_bytes(peer)
        assert b"a-later-price" not in stored_bytes(peer)
    assert values(stage, "b")[:2] == [b"kept"] * 2


async def test_a_delete_keeps_what_the_key_had(stage):
    stage.define(prices(stage))
    stage.commit(await stage.endorse(writes(a=b"a-secret-price")))
    stage.commit(await stage.endorse(writes(a=b"")))
    assert values(stage, "a") == [None] * 4
    assert b"a-secret-price" in stored_bytes(stage.peers[HELD])


async def test_a_purge_spares_what_the_key_gets_afterwards(stage):
    stage.define(prices(stage))
    stage.commit(await stage.endorse(writes(a=b"a-secret-price")))
    stage.commit(await stage.endorse(purges("a")), await stage.endorse(writes(a=b"new")))
    assert values(stage, "a")[:2] == [b"new"] * 2
    assert b"a-secret-price" not in stored_bytes(stage.peers[HELD])


async def test_a_peer_that_was_down_for_write_and_purge_never_gets_the_value(stage):
    stage.define(prices(stage))
    stage.down.add(ALSO_HELD)
    first, tx_id, private = stage.simulate(writes(a=b"a-secret-price", b=b"kept"))
    await stage.peers[HELD].dissemination.keep(tx_id, private)
    stage.commit(first)
    whole = private.collections[0].raw
    stage.commit(await stage.endorse(purges("a")))
    late = stage.peers[ALSO_HELD]
    stage.down.clear()

    def keeps_what_is_purged(answer):
        for found in answer.private_data_response.found:
            if b"kept" in found.rwset:
                found.rwset = whole

    stage.lies[HELD] = keeps_what_is_purged
    late.reconciler.on_connected()
    await late.until(lambda: late.missing() == 0)
    assert late.value("b") == b"kept"
    assert b"a-secret-price" not in stored_bytes(late)


async def test_what_a_purge_left_is_fetched_by_who_was_down(stage):
    stage.define(prices(stage))
    stage.down.add(ALSO_HELD)
    stage.commit(await stage.endorse(writes(a=b"1", b=b"kept")))
    stage.commit(await stage.endorse(purges("a")))
    stage.down.clear()
    late = stage.peers[ALSO_HELD]
    late.reconciler.on_connected()
    await late.until(lambda: late.missing() == 0)
    assert (late.value("a"), late.value("b")) == (None, b"kept")
    assert late.rejected == []


# -- members that come later, and ledgers that begin late -----------------------------------------


async def test_a_member_that_joins_the_collection_fetches_what_is_in_force(stage):
    alone = Collection("prices", parse_policy(f"OR('{stage.peers[HELD].mspid}.member')"))
    stage.define(alone)
    stage.commit(await stage.endorse(writes(a=b"old", b=b"1")))
    stage.commit(await stage.endorse(writes(a=b"2")))
    stage.define(prices(stage))
    late = stage.peers[ALSO_HELD]
    late.reconciler.on_connected()
    view = late.world.store.snapshot
    await late.until(lambda: view().private.is_filled(CHAINCODE, "prices"))
    assert (late.value("a"), late.value("b")) == (b"2", b"1")


async def test_a_ledger_that_began_with_a_snapshot_gets_its_private_values_back(stage):
    stage.define(prices(stage, block_to_live=9))
    keys = {f"k{n:02}": b"%d" % n for n in range(30)}
    stage.commit(await stage.endorse(writes(**keys)))
    late = stage.peers[ALSO_HELD]
    kv = late.world.kv
    private = [(key, None) for key, _ in kv.iterate(b"", b"\xff" * 8) if key[:1] in b"PKQWZUDm"]
    kv.write(private, sync=True)
    late.world.reopened()
    late.restart()
    assert late.value("k00") is None
    late.reconciler.on_connected()
    await late.until(lambda: late.value("k29") is not None)
    assert [late.value(key) for key in keys] == list(keys.values())


async def test_a_collection_comes_page_by_page_and_waits_for_newer_blocks(stage, monkeypatch):
    monkeypatch.setattr(private_requests, "VALUES_PER_PAGE_MAX", 2)
    alone = Collection("prices", parse_policy(f"OR('{stage.peers[HELD].mspid}.member')"))
    stage.define(alone)
    keys = {f"k{n:02}": b"%d" % n for n in range(9)}
    stage.commit(await stage.endorse(writes(**keys)))
    stage.define(prices(stage, maximum_peer_count=0))
    late = stage.peers[ALSO_HELD]
    late.reconciler.on_connected()
    entry = await stage.endorse(writes(newer=b"1"))
    view = late.world.store.snapshot

    def begins_and_is_interrupted():
        if len(late.links.of("private_data_request")) < 2:
            return False
        stage.commit(entry)
        return True

    await late.until(
        begins_and_is_interrupted,
        lambda: late.value("newer") == b"1",
        lambda: view().private.is_filled(CHAINCODE, "prices"),
    )
    assert [late.value(key) for key in keys] == list(keys.values())


async def test_false_values_do_not_fill_a_collection(stage):
    alone = Collection("prices", parse_policy(f"OR('{stage.peers[HELD].mspid}.member')"))
    stage.define(alone)
    stage.commit(await stage.endorse(writes(a=b"1")))
    stage.define(prices(stage))
    late = stage.peers[ALSO_HELD]

    def lie(answer):
        answer.private_data_response.values = FALSE
        answer.private_data_response.last_key_hash = b"\x00"  # and on for ever

    stage.lies[HELD] = lie
    late.reconciler.on_connected()
    await late.until(lambda: len(late.links.of("private_data_request")) == 2)
    assert late.value("a") is None
    assert not late.world.store.snapshot().private.is_filled(CHAINCODE, "prices")


# -- block streams --------------------------------------------------------------------------------


async def test_a_client_sees_what_its_organization_is_a_member_of(stage):
    stage.define(prices(stage))
    stage.commit(await stage.endorse(writes(a=b"1")))
    peer = stage.peers[HELD]
    members = peer.world.consortium.members
    height = peer.world.store.height()
    own = await peer.delivery(height - 1, members[1].client.serialized)
    assert [one.collection for one in own[0].collections] == ["prices"]
    assert await peer.delivery(height - 1, members[2].client.serialized) == {}
    assert await peer.delivery(height - 1, b"nobody") == {}
    assert await peer.delivery(0, members[1].client.serialized) == {}
