"""What a peer lacks of its collections is fetched, and what came is believed by nobody."""

import asyncio

import pytest

from ledger.crypto.hashing import sha256
from ledger.errors import Reason
from ledger.model.private_rwset import (
    encode_private_writes,
)
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedWrite,
    KeyWrite,
    NamespaceReadWriteSet,
    ReadWriteSet,
)
from ledger.node.private_data import settle_wait
from ledger.storage.transient_store import TransientLimits
from ledger.wire.validator_pb2 import Item, PrivateDataRequest, PrivateSetName
from tests.support.ledger_world import CHAINCODE
from tests.support.private_stage import tx_id_of
from tests.unit.node.private_data.prices import (
    ADDED,
    ALSO_HELD,
    FALSE,
    HELD,
    STRANGER,
    endorsed_by_a_stranger,
    prices,
    purges,
    stored_bytes,
    writes,
)

pytestmark = pytest.mark.anyio


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
