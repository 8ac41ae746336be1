"""What stands behind an open door: names by viewer, and readings since a device is its owner's."""

import asyncio
from dataclasses import replace

import pytest

from chaincode.energy.market.records import Listing
from chaincode.energy.marketplace.records import Post, PostState
from chaincode.energy.records import decode
from gateway.identity.sessions import Viewer
from gateway.identity.sight import (
    listing_as_seen,
    post_as_seen,
    result_as_seen,
    settlement_as_seen,
)
from tests.unit.energy.community import Community, milliseconds
from tests.unit.gateway import readmodel_blocks
from tests.unit.gateway.hems import HOUR_MS, ORACLE_TOKEN, bearer, client_of, hems_of

ONE, OTHER, THIRD = "VAL-0001-X", "VAL-0002-Y", "VAL-0003-Z"
OWNER, BUYER, STRANGER = Viewer(ONE), Viewer(OTHER), Viewer(THIRD)
A_LISTING = decode(Listing, next(iter(readmodel_blocks.a_listing().values())))
MANAGER, ORACLE = Viewer("", is_manager=True), Viewer("", is_oracle=True)


def a_post(**changes) -> Post:
    numbers = dict.fromkeys(Post.__dataclass_fields__, 0)
    names = {"owner_idgrid": ONE, "seller_idgrid": ONE, "buyer_idgrid": None, "res_id": "pv-one"}
    return Post(**(numbers | names | {"escrow_id": "e-1"} | changes))


@pytest.mark.parametrize(
    ("viewer", "state", "buyer", "seen"),
    [
        (None, PostState.OPEN, None, ("", None, None, None)),
        (ORACLE, PostState.OPEN, None, ("", None, None, None)),
        (STRANGER, PostState.OPEN, None, (ONE, ONE, None, "pv-one")),
        (STRANGER, PostState.RESERVED, OTHER, (ONE, ONE, None, "pv-one")),
        (STRANGER, PostState.PURCHASED, OTHER, ("", None, None, None)),
        (BUYER, PostState.PURCHASED, OTHER, (ONE, ONE, OTHER, "pv-one")),
        (OWNER, PostState.SETTLED, OTHER, (ONE, ONE, OTHER, "pv-one")),
        (MANAGER, PostState.SETTLED, OTHER, (ONE, ONE, OTHER, "pv-one")),
    ],
)
def test_who_deals_is_shown_to_whom_it_concerns(viewer, state, buyer, seen) -> None:
    found = post_as_seen(a_post(state=state, buyer_idgrid=buyer), viewer)
    names = ("owner_idgrid", "seller_idgrid", "buyer_idgrid", "res_id")
    assert tuple(getattr(found, name) for name in names) == seen
    is_party = viewer in {OWNER, BUYER, MANAGER}
    assert found.escrow_id == ("e-1" if is_party else None)


@pytest.mark.parametrize(
    ("viewer", "seen"),
    [(None, []), (STRANGER, []), (BUYER, [OTHER]), (ORACLE, []), (MANAGER, [ONE, OTHER])],
)
def test_silent_meters_matches_and_priorities_name_whom_the_viewer_sees(viewer, seen) -> None:
    settled = settlement_as_seen({"missing": [ONE, OTHER], "settled_wh": 5}, viewer)
    assert (settled["missing"], settled["missing_count"], settled["settled_wh"]) == (seen, 2, 5)
    listing = replace(A_LISTING, priority_consumers=[ONE, OTHER])
    assert listing_as_seen(listing, viewer).priority_consumers == seen
    matches = [{"idgrid": ONE}, {"idgrid": OTHER}]
    result = result_as_seen({"matches": matches, "pages": [ONE]}, viewer)
    assert [entry["idgrid"] for entry in result["matches"]] == seen
    assert result["pages"] == ([ONE] if viewer is MANAGER else [])


@pytest.mark.row("E012")
def test_a_new_owner_reads_nothing_from_before() -> None:
    community = Community.found(start="2026-01-15T10:00:00Z")
    former, new = community.join(), community.join()

    async def play() -> None:
        async with hems_of(community) as hems, client_of(hems) as client:

            async def energy(at_ms: int, who: str) -> int:
                path = f"/smartmeter/{former.meter_id}?at_ms={at_ms}"
                return (await client.get(path, headers=bearer(who))).status_code

            async def read() -> int:
                now_ms = milliseconds(community.ledger.now)
                await hems.read(former, now_ms, load_wh=400)
                community.ledger.advance(seconds=HOUR_MS // 1000)
                return now_ms

            times = [await read() for _ in range(3)]
            for at_ms in times[1:]:
                assert await energy(at_ms, former.idgrid) == 200
            former.client.submit("devices:offer_transfer", former.meter_id, new.idgrid)
            new.client.submit("devices:accept_transfer", former.meter_id)
            await hems.catch_up()
            reading = f"/v1/meters/{former.meter_id}/reading"
            assert (await client.get(reading, headers=bearer(new.idgrid))).status_code == 404
            page = await client.get("/meter", headers=bearer(new.idgrid))
            assert page.status_code == 200
            for at_ms in times:
                assert await energy(at_ms, new.idgrid) == 409
                assert await energy(at_ms, former.idgrid) == 403
            later = [await read() for _ in range(3)]
            assert (await client.get(reading, headers=bearer(new.idgrid))).status_code == 200
            assert [await energy(at_ms, new.idgrid) for at_ms in later] == [409, 200, 200]
            new.client.submit("access:grant", "market", former.meter_id)
            await hems.catch_up()
            assert await energy(times[2], ORACLE_TOKEN) == 200

    asyncio.run(play())
