"""The hourly auction of the conceptual community, in the words of its table of objects.

AuthorizeOfferCom opens a listing, RESOffer and BUYOffer fill it, Bid_Closed ends it; the price is
the average bid, buyers are served from the highest bid down, sellers first come first served.
Reference prices: energy is sold for 0.039 EUR/kWh and bought for 0.095; a token stands for 1 EUR.
"""

from typing import Any

from tests.scenarios.market.narration import Story
from tests.scenarios.market.stage import attempt, last_event
from tests.unit.energy.community import Community, Household

HOUR, NEXT_HOUR = "2026-01-15T10", "2026-01-15T11"
SELLING, BUYING = 39_000, 95_000
OFFERS = ((45_000, "4"), (39_000, "6"))
"""(reservePrice in micro-tokens per kWh, kWhavailable), in the order they come."""
BIDS = ((60_000, "5"), (50_000, "3"), (40_000, "2"))
"""(BidPrice, kWhQuantity)."""
DELIVERED_WH = 8_000


def run(story: Story) -> Community:
    """Tell two listings that overlap; `Differs` if a figure is not the documented one."""
    community = Community.found(start="2026-01-15T09:00:00Z")
    sellers = [community.join(tokens=0) for _ in OFFERS]
    buyers = [community.join(role="consumer", tokens=10**6) for _ in BIDS]
    story.step("Two producers and three consumers have an IDgrid and a balance in tokens.")
    for home in (*sellers, *buyers):
        story.note(f"{home.idgrid}: {community.account(home)['free_utoken'] / 10**6:g} tokens")
    _authorise(story, community)
    _order(story, community, sellers, buyers)
    _close(story, community, buyers[0])
    _clear(story, community, sellers, buyers)
    _settle(story, community, sellers, buyers)
    _certify(story, community, sellers, buyers)
    return community


def _authorise(story: Story, community: Community) -> None:
    story.step("The community agrees: average bid, feed-in 0.039, RetailPrice 0.095 EUR/kWh.")
    agreed = {
        "rule": "average_bid",
        "floor_utoken_per_kwh": SELLING,
        "cap_utoken_per_kwh": BUYING,
    }
    community.manager.submit("listings:set_defaults", agreed)
    story.step(f"AuthorizeOfferCom {HOUR}: everybody is invited, without anybody's doing.")
    community.scheduler.submit("listings:AuthorizeOfferCom", HOUR)
    last_event(community, "AuthorizeOfferCom")
    listing = community.manager.evaluate("market:get_listing", HOUR)
    story.figure("listingid", listing["listing_id"], HOUR)
    story.figure("state", listing["state"], "AUTHORIZE_OFFERS")
    story.figure("RetailPrice", listing["cap_utoken_per_kwh"], BUYING, "micro-token/kWh")


def _order(
    story: Story, community: Community, sellers: list[Household], buyers: list[Household]
) -> None:
    story.step("RESOffer and BUYOffer arrive, with the field names of the table.")
    for home, (reserve, kwh) in zip(sellers, OFFERS, strict=True):
        offer = {
            "reservePrice": reserve,
            "kWhavailable": kwh,
            "listingid": HOUR,
            "RESid": home.res_id,
            "producer": home.idgrid,
        }
        made = home.client.submit("orders:RESOffer", offer)
        _same_fields(story, f"RESOffer of {home.idgrid}", made, offer)
    for home, (price, kwh) in zip(buyers, BIDS, strict=True):
        bid = {
            "BidPrice": price,
            "kWhQuantity": kwh,
            "listingid": HOUR,
            "consumer": home.idgrid,
        }
        made = home.client.submit("orders:BUYOffer", bid)
        _same_fields(story, f"BUYOffer of {home.idgrid}", made, bid)
    foreign = {
        "reservePrice": 1,
        "kWhavailable": "1",
        "listingid": HOUR,
        "RESid": sellers[1].res_id,
        "producer": sellers[0].idgrid,
    }
    attempt(story, "RES_REQUIRED", sellers[0].client, "orders:RESOffer", foreign)


def _same_fields(story: Story, name: str, made: dict[str, Any], wanted: dict[str, object]) -> None:
    found = {field: made[field] for field in wanted}
    story.figure(name, tuple(found.values()), tuple(wanted.values()))


def _close(story: Story, community: Community, late: Household) -> None:
    story.step("Bid_Closed; meanwhile the next hour's listing is open already.")
    community.ledger.at(f"{HOUR}:00:00Z")
    community.ledger.advance(minutes=-5)
    community.scheduler.submit("listings:Bid_Closed", HOUR)
    listing = community.manager.evaluate("market:get_listing", HOUR)
    story.figure("state", listing["state"], "BIDS_CLOSED")
    bid = {
        "BidPrice": 60_000,
        "kWhQuantity": "1",
        "listingid": HOUR,
        "consumer": late.idgrid,
    }
    attempt(story, "BIDS_CLOSED", late.client, "orders:BUYOffer", bid)
    community.scheduler.submit("listings:AuthorizeOfferCom", NEXT_HOUR)
    alive = community.manager.evaluate("market:list_listings", HOUR, "2026-01-15T12")
    story.figure("listings alive", len(alive), 2)


def _clear(
    story: Story, community: Community, sellers: list[Household], buyers: list[Household]
) -> None:
    story.step("Clearing: MCP is the average of the bids; highest bid first, sellers FIFO.")
    result = community.scheduler.submit("market:clear", HOUR)
    story.figure("MCP", result["price_utoken_per_kwh"], 50_000, "micro-token/kWh")
    story.figure("kWhavailable", result["available_wh"] // 1_000, 10)
    story.figure("kWhwanted", result["wanted_wh"] // 1_000, 10)
    matched = {match["idgrid"]: match["matched_wh"] for match in result["matches"]}
    story.figure("first seller", matched[sellers[0].idgrid], 4_000, "Wh")
    story.figure("second seller", matched[sellers[1].idgrid], 4_000, "Wh")
    story.figure("highest bid", matched[buyers[0].idgrid], 5_000, "Wh")
    story.figure("next bid", matched[buyers[1].idgrid], 3_000, "Wh")
    excluded = [reason for _, reason in result["excluded"]]
    story.figure("shut out", excluded, ["bid below average price"])
    other = result["other_rule_price_utoken_per_kwh"]
    story.figure("price by crossing, published beside it", other, 45_000, "micro-token/kWh")


def _settle(
    story: Story, community: Community, sellers: list[Household], buyers: list[Household]
) -> None:
    story.step("Delivery as metered; the utility takes the surplus and serves who was shut out.")
    flows = {
        sellers[0].idgrid: (0, 4_000),
        sellers[1].idgrid: (0, 6_000),
        buyers[0].idgrid: (5_000, 0),
        buyers[1].idgrid: (3_000, 0),
        buyers[2].idgrid: (2_000, 0),
    }
    community.deliver(flows, HOUR)
    settled = community.settle(HOUR)
    story.figure("settled", settled["settled_wh"], DELIVERED_WH, "Wh")
    story.figure("paid", settled["total_utoken"], 400_000, "micro-tokens")
    fed_in = settled["owed_by_utility_utoken"]
    story.figure("feed-in of 2 kWh", fed_in, 2 * SELLING, "micro-tokens")
    bought = settled["owed_to_utility_utoken"]
    story.figure("2 kWh at RetailPrice", bought, 2 * BUYING, "micro-tokens")
    free = [community.account(home)["free_utoken"] for home in sellers]
    story.figure("producers' balances", free, [200_000, 200_000], "micro-tokens")
    free = [community.account(home)["free_utoken"] for home in buyers]
    story.figure("consumers' balances", free, [750_000, 850_000, 1_000_000], "micro-tokens")
    story.figure("tokens too many or too few", community.audit()["difference_utoken"], 0)


def _certify(
    story: Story, community: Community, sellers: list[Household], buyers: list[Household]
) -> None:
    story.step(
        "One energy token for each unit the meters signed; it moves once, to who bought it."
    )
    issue = community.scheduler.submit("origin:issue", HOUR, 0)
    story.figure("minted", issue["minted_wh"], 10_000, "Wh")
    story.figure("moved with the trade", issue["certified_wh"], DELIVERED_WH, "Wh")
    attempt(story, "ALREADY_MINTED", community.scheduler, "origin:issue", HOUR, 0)
    spent = f"{HOUR}.{sellers[0].idgrid}"
    again = (sellers[0].client, "origin:transfer", spent, buyers[2].idgrid, 1)
    attempt(story, "TOKEN_SPENT", *again)
    held = buyers[0].client.evaluate("origin:held", buyers[0].idgrid)
    story.figure("held by the highest bid", sum(one["energy_wh"] for one in held), 5_000, "Wh")
    trace = buyers[0].client.evaluate("origin:trace", held[0]["certificate_id"])
    story.note(
        f"a kWh of it: {trace['sources'][0]['source_type']} of {trace['producer_idgrid']},"
        f" hour {trace['listing_id']}, {len(trace['readings'])} signed readings"
    )
    story.figure("its hour", trace["listing_id"], HOUR)
