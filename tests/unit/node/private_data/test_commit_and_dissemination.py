"""Private values with their block, and to whom they are handed out."""

import pytest

from ledger.crypto.hashing import sha256
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.errors import Reason
from ledger.model.private_collections import implicit_name
from ledger.model.private_rwset import (
    PrivateCollectionSet,
    PrivateReadWriteSet,
)
from ledger.model.state import VALIDATION_PARAMETER
from tests.support.ledger_world import CHAINCODE
from tests.unit.node.private_data.prices import (
    ALSO_HELD,
    HELD,
    OTHER_STRANGER,
    STRANGER,
    offer_of,
    prices,
    purges,
    receipt_of,
    stored_bytes,
    values,
    writes,
)

pytestmark = pytest.mark.anyio


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
