"""Five houses on one bus trade solar energy at prices of their own, in the hours of a market day.

The testbed's offers, request and purchase of 0.001 ETH, its day (orders 10:30-13:00 and
14:00-16:30, exchange 13:00-14:00 and 16:30-17:30) and the texts with which its contract refuses.
"""

from tests.scenarios.market.lots import (
    GWEI_PER_ETHER,
    Lot,
    ether,
    labels,
    lot,
    offer,
    open_account,
    request,
)
from tests.scenarios.market.narration import Story
from tests.scenarios.market.stage import attempt
from tests.unit.energy.community import Community, Household

NOON, AFTERNOON = "2026-01-15T13", "2026-01-15T16"
WH_PER_WATT = 10
"""The request is for half a watt, and the ledger counts whole watt-hours."""


def watts(amount: str, price_ether: str) -> Lot:
    """A row of the testbed's tables."""
    return lot(amount, price_ether, wh_per_unit=WH_PER_WATT)


OFFERS = (
    watts("1", "0.0004"),
    watts("40", "0.00004"),
    watts("15", "0.0001"),
    watts("100", "0.01"),
)
REQUEST = watts("0.5", "0.00001")
PURCHASE = watts("10", "0.001")
WEI_PER_GWEI = 10**9
BUY, SELL = "marketplace:buy", "marketplace:request_to_sell"


def run(story: Story) -> Community:
    """Tell the day; `Differs` if a figure is not the documented one."""
    community = Community.found(start="2026-01-15T10:30:00Z")
    houses = [open_account(community) for _ in range(5)]
    story.step("Five houses with PV, battery and a relay each; every account holds 100 ETH.")
    story.figure("accounts", [ether(community, house) for house in houses], ["100"] * 5, "ETH")
    sessions(story, community, houses[0])
    posts = _post(story, community, houses)
    _refuse(story, houses, posts)
    _purchase(story, community, houses)
    dealt = _deal(story, community, houses, posts)
    _exchange(story, community, houses, dealt)
    return community


def sessions(story: Story, community: Community, house: Household) -> None:
    """The auction of the same day keeps its hours."""
    story.step("The market day: orders 10:30-13:00 and 14:00-16:30; exchange follows each.")
    before = community.ledger.snapshot()
    for hour in (NOON, AFTERNOON):
        community.open(hour, preset="day_market")
    bid = (house.client, "market:place_bid", AFTERNOON, 1_000, 54_000)
    community.ledger.at("2026-01-15T13:15:00Z")
    attempt(story, "NOT_OPEN_YET", *bid)
    noon = (house.client, "market:place_bid", NOON, 1_000, 54_000)
    attempt(story, "BIDS_CLOSED", *noon)
    community.ledger.at("2026-01-15T14:05:00Z")
    placed = house.client.submit("market:place_bid", AFTERNOON, 1_000, 54_000)
    story.figure("order of 14:05 is for", placed["listing_id"], AFTERNOON)
    community.ledger.restore(before)


def _post(story: Story, community: Community, houses: list[Household]) -> list[str]:
    story.step("Offers at free prices, and one request whose price is locked.")
    sellers = (houses[0], houses[1], houses[2], houses[3])
    posts = [
        offer(story, seller, NOON, wanted) for seller, wanted in zip(sellers, OFFERS, strict=True)
    ]
    posts.append(request(story, houses[4], NOON, REQUEST))
    rows = labels(houses[4], NOON, "offer", wh_per_unit=WH_PER_WATT)
    expected = sorted(wanted.labelled("Buy") for wanted in OFFERS)
    story.figure("table of offers", sorted(rows), expected)
    rows = labels(houses[0], NOON, "request", wh_per_unit=WH_PER_WATT)
    story.figure("table of requests", rows, [("0.5", "0.00001", "Request to Sell")])
    return posts


def _refuse(story: Story, houses: list[Household], posts: list[str]) -> None:
    story.step("What the contract refuses, in the testbed's words.")
    house = houses[0].client
    post_offer = (house, "marketplace:post_offer", NOON, houses[0].res_id)
    attempt(story, "OFFER_PRICE_NOT_POSITIVE", *post_offer, 1, 0)
    attempt(story, "ENERGY_MISSING", *post_offer, 0, 1)
    attempt(story, "BID_PRICE_NOT_POSITIVE", house, "marketplace:post_request", NOON, 1, 0)
    attempt(story, "UNKNOWN_OFFER", house, BUY, f"{NOON}.{'0' * 64}")
    attempt(story, "SELF_TRADE", house, BUY, posts[0])
    poor = 2 * 100 * GWEI_PER_ETHER
    attempt(story, "INSUFFICIENT_FUNDS", house, "marketplace:post_request", NOON, 1, poor)
    attempt(story, "SELF_TRADE", houses[4].client, SELL, posts[4], houses[4].res_id)


def _purchase(story: Story, community: Community, houses: list[Household]) -> None:
    story.step("The purchase of the transaction screen: 0.001 ETH.")
    before = community.ledger.snapshot()
    post = offer(story, houses[2], NOON, PURCHASE)
    bought = houses[3].client.submit(BUY, post)
    value = bought["price_utoken"] * WEI_PER_GWEI
    story.figure("value", value, 1_000_000_000_000_000, "wei")
    locked = community.account(houses[3])["locked_utoken"] * WEI_PER_GWEI
    story.figure("locked until delivery", locked, 1_000_000_000_000_000, "wei")
    community.ledger.restore(before)


def _deal(
    story: Story, community: Community, houses: list[Household], posts: list[str]
) -> list[str]:
    story.step("House 1 reserves the 100 W of house 4; house 2 comes too late.")
    big = posts[3]
    houses[0].client.submit("marketplace:reserve", big)
    attempt(story, "RESERVED", houses[1].client, BUY, big)
    houses[0].client.submit(BUY, big)
    attempt(story, "ALREADY_PURCHASED", houses[1].client, BUY, big)
    attempt(story, "ALREADY_PURCHASED", houses[3].client, "marketplace:delete", big)
    story.step("House 3 asks to serve the request of house 5, which accepts.")
    houses[2].client.submit(SELL, posts[4], houses[2].res_id)
    houses[4].client.submit("marketplace:accept", posts[4])
    attempt(story, "ALREADY_SOLD", houses[1].client, SELL, posts[4], houses[1].res_id)
    shown = labels(houses[1], NOON, "offer", wh_per_unit=WH_PER_WATT)
    bought = [row for row in shown if row[2] == "Purchased"]
    story.figure("bought", bought, [OFFERS[3].labelled("Purchased")])
    return [big, posts[4]]


def _exchange(
    story: Story, community: Community, houses: list[Household], dealt: list[str]
) -> None:
    story.step("13:00-14:00: one delivery after the other over the shared bus; meters are read.")
    flows = {
        houses[3].idgrid: (0, OFFERS[3].energy_wh),
        houses[0].idgrid: (OFFERS[3].energy_wh, 0),
        houses[2].idgrid: (0, REQUEST.energy_wh),
        houses[4].idgrid: (REQUEST.energy_wh, 0),
    }
    community.deliver(flows, NOON)
    for post in dealt:
        settled = community.oracle.submit("marketplace:settle", post)
        story.note(
            f"{settled['energy_wh']} Wh from {settled['seller_idgrid']} to"
            f" {settled['buyer_idgrid']}: {settled['delivery']}"
        )
        attempt(story, "ALREADY_SETTLED", community.oracle, "marketplace:settle", post)
    story.step("The accounts afterwards: the seller is paid, not who posted the request.")
    after = [ether(community, house) for house in houses]
    expected = ["99.99", "100", "100.00001", "100.01", "99.99999"]
    story.figure("accounts afterwards", after, expected, "ETH")
    story.figure("money too much or too little", community.audit()["difference_utoken"], 0)
