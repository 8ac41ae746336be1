"""Replayed, simultaneous and repeated transactions on a running network take effect once."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from grpc import aio

from ledger.client.gateway import CommitStatus
from ledger.model.codec import decode_envelope
from ledger.model.codes import ValidationCode
from tests.integration.market_scene import DEPOSIT_UTOKEN, MINUTE_MS, Home, now_ms
from tests.integration.refusals import (
    Scene,
    account,
    orders,
    refused_endorsement,
    refused_submit,
    running_scene,
)
from tests.integration.validators import agreed_head, blocks_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running_scene(tmp_path_factory.mktemp("exactly-once")) as running:
        yield running


@pytest.mark.row("E032")
def test_a_signed_order_sent_again_and_again_is_one_order_with_one_escrow(scene: Scene) -> None:
    market = scene.market

    async def act() -> None:
        home = await market.join()
        listing = await market.open_listing()
        proposal = market.propose(home.identity, "market:place_bid", listing, "1000", "60000")
        payload = await market.endorse(home.identity, proposal)
        signature = home.identity.sign(payload)
        before = await agreed_head(market.network)

        # At once through all four peers: whoever is late may say that it is in the ledger.
        answers = await asyncio.gather(
            *(client.submit(proposal.tx_id, payload, signature) for client in market.clients),
            return_exceptions=True,
        )
        assert None in answers
        for answer in answers:
            assert answer is None or isinstance(answer, aio.AioRpcError)
            assert answer is None or answer.code() == grpc.StatusCode.ALREADY_EXISTS
        status = await market.client.commit_status(proposal.tx_id, home.identity)
        assert status.is_valid

        async with market.unchanged() as after:
            # And late: the envelope, and the order before it was endorsed.
            error = await refused_submit(scene, proposal, payload, signature)
            assert error.code() == grpc.StatusCode.ALREADY_EXISTS
            assert "REPLAYED" in error.details()
            assert "REPLAYED" in await refused_endorsement(scene, home.identity, proposal)

        blocks = await blocks_of(
            market.network, market.network.plan.members[0], before.height, after.height - 1
        )
        recorded = [decode_envelope(raw).tx_id for block in blocks for raw in block.entries]
        assert recorded.count(proposal.tx_id) == 1
        assert [o["order_id"] for o in await orders(scene, home, listing)] == [proposal.tx_id]
        view = await account(scene, home)
        assert view["locked_utoken"] == 60_000
        assert view["free_utoken"] == DEPOSIT_UTOKEN - 60_000

    scene.market.run(act())


@pytest.mark.row("E035")
def test_of_two_households_that_take_one_offer_together_one_has_it(scene: Scene) -> None:
    market = scene.market

    async def act() -> None:
        seller, *buyers = [await market.join() for _ in range(3)]
        hour = (datetime.now(tz=UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H")
        lot = (hour, seller.res_id, "4000", "216000")
        await market.submit(seller.identity, "marketplace:post_offer", *lot)
        page = await market.ask(seller.identity, "marketplace:list_posts", hour)
        [post_id] = [post["post_id"] for post in page["posts"]]
        name = "marketplace:reserve"
        proposals = [market.propose(buyer.identity, name, post_id) for buyer in buyers]
        payloads = [
            await market.endorse(buyer.identity, proposal)
            for buyer, proposal in zip(buyers, proposals, strict=True)
        ]
        triples = list(zip(buyers, proposals, payloads, strict=True))
        await asyncio.gather(
            *(
                market.client.submit(proposal.tx_id, payload, buyer.identity.sign(payload))
                for buyer, proposal, payload in triples
            )
        )
        codes = [
            (await market.client.commit_status(proposal.tx_id, buyer.identity)).code
            for buyer, proposal, _ in triples
        ]
        assert sorted(codes) == [ValidationCode.VALID, ValidationCode.MVCC_READ_CONFLICT]
        loser = buyers[codes.index(ValidationCode.MVCC_READ_CONFLICT)]
        winner = buyers[codes.index(ValidationCode.VALID)]
        again = market.propose(loser.identity, name, post_id)
        assert "RESERVED" in await refused_endorsement(scene, loser.identity, again)
        assert (await account(scene, winner))["locked_utoken"] == 216_000
        assert (await account(scene, loser))["locked_utoken"] == 0

    scene.market.run(act())


CONFLICT_TRIES = 25


@pytest.mark.parametrize(
    ("function", "arguments"),
    [("market:place_offer", ("1000", "50000")), ("market:place_bid", ("1000", "60000"))],
    ids=["offers", "bids"],
)
def test_two_orders_of_a_household_in_one_block_conflict(
    scene: Scene, function: str, arguments: tuple[str, str]
) -> None:
    market = scene.market

    async def both(home: Home) -> list[CommitStatus]:
        """Two orders simulated on the same state, ordered together; one is applied.

        Another transaction goes first: while its block is decided, both wait for the next.
        """
        listing = await market.open_listing()
        res = (home.res_id,) if function == "market:place_offer" else ()
        identity = home.identity
        proposals = [
            market.propose(identity, function, listing, *res, *arguments) for _ in range(2)
        ]
        payloads = [await market.endorse(identity, proposal) for proposal in proposals]
        pairs = list(zip(proposals, payloads, strict=True))
        other = scene.neighbour.identity
        first = market.propose(other, "tokens:fold")
        first_payload = await market.endorse(other, first)
        await market.client.submit(first.tx_id, first_payload, other.sign(first_payload))
        await asyncio.gather(
            *(market.client.submit(p.tx_id, raw, identity.sign(raw)) for p, raw in pairs)
        )
        statuses = [await market.client.commit_status(p.tx_id, identity) for p in proposals]
        codes = sorted(status.code for status in statuses)
        assert codes == [ValidationCode.VALID, ValidationCode.MVCC_READ_CONFLICT]
        [valid] = [p for p, s in zip(proposals, statuses, strict=True) if s.is_valid]
        placed = await orders(scene, home, listing)
        assert [order["order_id"] for order in placed] == [valid.tx_id]
        return statuses

    async def act() -> None:
        home = await market.join()
        await market.submit(home.identity, "tokens:fold")
        locked = 0
        for _ in range(CONFLICT_TRIES):
            statuses = await both(home)
            locked += 60_000 if function == "market:place_bid" else 0
            assert (await account(scene, home))["locked_utoken"] == locked
            if len({status.block_number for status in statuses}) == 1:
                return
        pytest.fail(f"never in one block in {CONFLICT_TRIES} tries")

    scene.market.run(act())


def delivered_in(starts_ms: int, ends_ms: int) -> dict[str, int]:
    """Instants of a listing whose gate closed a minute before its delivery, long ago."""
    return {
        "opens_at_ms": starts_ms - 2 * MINUTE_MS,
        "gate_closure_ms": starts_ms - MINUTE_MS,
        "delivery_start_ms": starts_ms,
        "delivery_end_ms": ends_ms,
        "settlement_end_ms": ends_ms + MINUTE_MS,
    }


async def matched_and_metered(scene: Scene, seller: Home, buyer: Home) -> str:
    """A cleared listing of 10 kWh at 54,000 per kWh, of which 8 kWh were delivered."""
    market = scene.market
    starts = now_ms() - 10 * MINUTE_MS
    ends = starts + 5 * MINUTE_MS
    listing = await market.open_listing(**delivered_in(starts, ends))
    in_time = starts - 2 * MINUTE_MS
    offer = (listing, seller.res_id, "10000", "54000")
    await market.submit(seller.identity, "market:place_offer", *offer, at_ms=in_time)
    bid = (listing, "10000", "54000")
    await market.submit(buyer.identity, "market:place_bid", *bid, at_ms=in_time)
    await market.submit(market.manager, "market:close_bidding", listing)
    await market.submit(market.manager, "market:clear", listing)
    members = {
        "community_manager": [market.authority.mspid],
        "dso": ["DsoMSP"],
        "oracle": ["DsoMSP"],
    }
    await market.submit(market.manager, "registry:configure", json.dumps(members))
    for seq, at_ms, energy_wh in ((1, starts, 0), (2, ends, 8_000)):
        await market.report(
            seller.reading(seq=seq, t_end_ms=at_ms, import_wh=0, export_wh=energy_wh),
            buyer.reading(seq=seq, t_end_ms=at_ms, import_wh=energy_wh, export_wh=0),
        )
    return listing


@pytest.mark.row("E053")
def test_a_listing_is_settled_once(scene: Scene) -> None:
    """10 kWh matched and 8 delivered at 54,000 per kWh: 432,000 paid, 108,000 refunded, once."""
    market = scene.market

    async def act() -> None:
        seller, buyer = await asyncio.gather(market.join(), market.join())
        listing = await matched_and_metered(scene, seller, buyer)

        await market.submit(market.manager, "market:settle", listing)
        paid = [await account(scene, home) for home in (seller, buyer)]
        assert [view["free_utoken"] for view in paid] == [
            DEPOSIT_UTOKEN + 432_000,
            DEPOSIT_UTOKEN - 432_000,
        ]
        assert [view["locked_utoken"] for view in paid] == [0, 0]

        async with market.unchanged():
            for settler in (market.manager, market.operator):
                again = market.propose(settler, "market:settle", listing)
                message = await refused_endorsement(scene, settler, again)
                assert message.startswith("chaincode response 409, ALREADY_SETTLED: ")
            assert [await account(scene, home) for home in (seller, buyer)] == paid

    scene.market.run(act())


def test_two_settlements_endorsed_at_once_pay_once(scene: Scene) -> None:
    market = scene.market

    async def act() -> None:
        starts = now_ms() - 5 * MINUTE_MS
        listing = await market.open_listing(**delivered_in(starts, starts + MINUTE_MS))
        await market.submit(market.manager, "market:close_bidding", listing)
        await market.submit(market.manager, "market:clear", listing)
        settlers = (market.manager, market.operator)
        ready = []
        for settler in settlers:
            proposal = market.propose(settler, "market:settle", listing)
            ready.append((settler, proposal, await market.endorse(settler, proposal)))
        await asyncio.gather(
            *(market.client.submit(p.tx_id, raw, who.sign(raw)) for who, p, raw in ready)
        )
        codes = [(await market.client.commit_status(p.tx_id, who)).code for who, p, _ in ready]
        assert sorted(codes) == [ValidationCode.VALID, ValidationCode.MVCC_READ_CONFLICT]

    scene.market.run(act())
