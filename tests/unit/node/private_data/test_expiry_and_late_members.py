"""Values that expire or are purged, members that come later, ledgers that begin late."""

import pytest

from ledger.crypto.policy_text import parse_policy
from ledger.model.private_collections import Collection
from ledger.node.private_data import requests as private_requests
from tests.support.ledger_world import CHAINCODE
from tests.unit.node.private_data.prices import (
    ALSO_HELD,
    FALSE,
    HELD,
    prices,
    purges,
    stored_bytes,
    values,
    writes,
)

pytestmark = pytest.mark.anyio


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
