"""EnergyAuction: one prosumer, one consumer and a control centre; a futures window of 75 min.

The published run, with its failing attempts, to the last wei.
"""

from itertools import pairwise
from typing import Any

from chaincode.shim.testing import TestClient
from tests.scenarios.market.narration import Story
from tests.scenarios.market.stage import (
    GWEI,
    add_battery,
    attempt,
    found_with_oracles,
    grant,
    last_event,
    observe_charge,
)
from tests.unit.energy.community import LISTING, Community, Household

START_PRICE_GWEI = 60_000
BID_GWEI = 54_000
OFFERED_WH = 10_000
RECEIVED_WH = 8_000
BATTERY = "battery-0"
SECONDS = 1_000


def run(story: Story) -> Community:
    """Tell the whole window; `Differs` if a figure is not the documented one."""
    community, oracles = found_with_oracles()
    prosumer, consumer = _join(story, community)
    _grant_access(story, community, prosumer, consumer)
    _offer(story, community, prosumer, list(oracles.values()))
    _bid(story, community, consumer)
    _match(story, community, prosumer, consumer)
    _deliver(story, community, prosumer, consumer)
    _settle(story, community, prosumer, consumer)
    return community


def _join(story: Story, community: Community) -> tuple[Household, Household]:
    story.step("One prosumer with PV and a battery, and one consumer register; the DSO approves.")
    prosumer = community.register(tokens=0)
    consumer = community.register(role="consumer", tokens=600_000 * GWEI)
    add_battery(community, prosumer, BATTERY)
    story.note(f"IDgrids {prosumer.idgrid} and {consumer.idgrid}")
    story.step("The control centre opens the window: 60,000 gwei per kWh, at most 10 kWh.")
    attempt(story, "ROLE_NOT_ALLOWED", consumer.client, "market:open_listing", LISTING, {})
    community.open(floor_utoken_per_kwh=0, cap_utoken_per_kwh=START_PRICE_GWEI * GWEI)
    opened: dict[str, Any] = last_event(community, "WindowStarted").value
    story.figure(
        "opening price", opened["cap_utoken_per_kwh"] // GWEI, START_PRICE_GWEI, "gwei/kWh"
    )
    story.figure("most energy", opened["max_order_wh"], 10_000, "Wh")
    _phases(story, community)
    return prosumer, consumer


def _phases(story: Story, community: Community) -> None:
    listing = community.manager.evaluate("market:get_listing", LISTING)
    instants = [
        listing[name]
        for name in (
            "opens_at_ms",
            "gate_closure_ms",
            "delivery_start_ms",
            "delivery_end_ms",
            "settlement_end_ms",
        )
    ]
    lengths = [(end - start) // SECONDS for start, end in pairwise(instants)]
    story.figure("phases", lengths, [600, 120, 3600, 180], "s")


def _grant_access(
    story: Story, community: Community, prosumer: Household, consumer: Household
) -> None:
    story.step("Nobody has given the trading contract access to a meter yet.")
    for home in (prosumer, consumer):
        home.client.submit("membership:consent", "ab" * 32)
    price = BID_GWEI * GWEI
    attempt(
        story, "NO_DATA_ACCESS", consumer.client, "market:place_bid", LISTING, OFFERED_WH, price
    )
    place_offer = (prosumer.client, "market:place_offer", LISTING)
    attempt(story, "NO_DATA_ACCESS", *place_offer, prosumer.res_id, OFFERED_WH, price)
    story.step("Both householders grant access to their meters.")
    for home in (prosumer, consumer):
        grant(home)
        story.note(f"AccessGranted: {home.meter_id} to the market")


def _offer(
    story: Story, community: Community, prosumer: Household, oracles: list[TestClient]
) -> None:
    story.step("The prosumer offers 10 kWh; the oracles find 4 kWh in its battery.")
    observe_charge(prosumer, BATTERY, dict.fromkeys(oracles, 4_000))
    ask = (LISTING, BATTERY, OFFERED_WH, 40_000 * GWEI)
    denial = prosumer.client.submit("orders:request_offer", *ask)
    event = last_event(community, "OfferDenied").value
    story.note(f"event OfferDenied to {event['idgrid']}")
    story.figure("reason", event["reason"], "insufficient energy")
    story.figure("offers in the book", _offers(community), 0)
    story.note(f"denied: {denial['energy_wh']} Wh")
    attempt(story, "INSUFFICIENT_ENERGY", prosumer.client, "market:place_offer", *ask)
    story.step("Charged to 10 kWh, asked again: one oracle lies, two of three agree.")
    answers = dict(zip(oracles, (99_000, 10_000, 10_000), strict=True))
    decided = observe_charge(prosumer, BATTERY, answers)
    story.figure("state of charge", decided["value"], 10_000, "Wh")
    prosumer.client.submit("market:place_offer", *ask)
    story.figure("offers in the book", _offers(community), 1)
    story.note("asked at least 40,000 gwei per kWh")


def _offers(community: Community) -> int:
    book = community.manager.evaluate("market:get_book", LISTING)
    return int(book["offer_count"])


def _bid(story: Story, community: Community, consumer: Household) -> None:
    story.step("The consumer bids for 10 kWh at 54,000 gwei; the money is locked.")
    place = (consumer.client, "market:place_bid", LISTING)
    attempt(story, "CAP_EXCEEDED", *place, OFFERED_WH + 1_000, BID_GWEI * GWEI)
    attempt(story, "BID_PRICE_NOT_POSITIVE", *place, OFFERED_WH, 0)
    community.bid(consumer, OFFERED_WH, BID_GWEI * GWEI)
    locked = community.account(consumer)["locked_utoken"]
    story.figure("escrow", locked, 540_000_000_000_000, "wei")


def _match(story: Story, community: Community, prosumer: Household, consumer: Household) -> None:
    story.step("Ten minutes are over: matching, by a scheduler any member may run.")
    result = community.close_and_clear()
    matched = last_event(community, "MatchResult").value
    told = {match["idgrid"] for match in matched["matches"]}
    story.figure("told", told == {prosumer.idgrid, consumer.idgrid}, documented=True)
    story.figure("matched", result["quantity_wh"] // 1_000, 10, "units")
    price = result["price_utoken_per_kwh"] // GWEI
    story.figure("clearing price", price, BID_GWEI, "gwei/kWh")
    late = (consumer.client, "market:place_bid", LISTING, 1_000, BID_GWEI * GWEI)
    attempt(story, "BIDS_CLOSED", *late)


def _deliver(story: Story, community: Community, prosumer: Household, consumer: Household) -> None:
    story.step("Sixty minutes of transfer, then the meters are read: congestion, 8 kWh came.")
    flows = {prosumer.idgrid: (0, RECEIVED_WH), consumer.idgrid: (RECEIVED_WH, 0)}
    community.deliver(flows)
    last_event(community, "EnergyReceived")
    reading = consumer.client.evaluate("oracle:last_reading", consumer.meter_id)
    story.figure("received", reading["import_wh"] // 1_000, 8, "kWh")


def _settle(story: Story, community: Community, prosumer: Household, consumer: Household) -> None:
    story.step("Settlement on the received energy, once.")
    settled = community.settle()
    event = last_event(community, "SettlementState").value
    (payment,) = event["payments"]
    told = ", ".join(
        f"{name}={payment[name]}" for name in ("prosumer", "lockedFundsContract", "payment")
    )
    story.note(f"event SettlementState({told})")
    story.figure("paid to", payment["prosumer"], prosumer.idgrid)
    story.figure("payment", int(payment["payment"]), 432_000_000_000_000, "wei")
    story.figure("total", event["total_utoken"], 432_000_000_000_000, "wei")
    story.figure("refund", settled["refunded_utoken"], 108_000_000_000_000, "wei")
    story.figure(
        "prosumer's account", community.account(prosumer)["free_utoken"], 432_000 * GWEI, "wei"
    )
    left = community.account(consumer)
    story.figure("consumer's account", left["free_utoken"], (600_000 - 432_000) * GWEI, "wei")
    story.figure("still locked", left["locked_utoken"], 0, "wei")
    attempt(story, "ALREADY_SETTLED", community.scheduler, "market:settle", LISTING)
    story.figure("money too much or too little", community.audit()["difference_utoken"], 0, "wei")
