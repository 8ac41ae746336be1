"""Buy and sell flows of the isolated microgrid platforms: a bulletin of lots at fixed prices.

The rows of the tables for buying and selling, with every label they show: Buy, Purchased, Delete,
Request to Sell, Requested for Sell, Sold.
"""

from tests.scenarios.market.lots import ether, labels, lot, offer, open_account, request
from tests.scenarios.market.narration import Story
from tests.scenarios.market.stage import attempt
from tests.unit.energy.community import LISTING, Community, Household

BUY_TABLE = (
    (lot("2", "4"), True),
    (lot("3", "2"), True),
    (lot("4", "3"), False),
    (lot("5", "8"), False),
)
"""Other peers' offers; True: purchased."""
SELL_TABLE = (
    (lot("5", "8"), "Sold"),
    (lot("3", "6"), "Request to Sell"),
    (lot("10", "6"), "Sold"),
    (lot("8", "10"), "Request to Sell"),
    (lot("3", "3"), "Requested for Sell"),
    (lot("10", "8"), "Request to Sell"),
)
"""Other peers' requests, and what the seller's screen shows beside them."""
BUY, SELL, ACCEPT = "marketplace:buy", "marketplace:request_to_sell", "marketplace:accept"


def run(story: Story) -> Community:
    """Tell both flows; `Differs` if a figure is not the documented one."""
    community = Community.found()
    peer, other, stranger = (open_account(community) for _ in range(3))
    story.step("Three peers with 100 ETH each open the market page.")
    bought = _buy(story, peer, other)
    sold = _sell(story, peer, other)
    _delete(story, peer, stranger, bought[0])
    _deliver(story, community, peer, other, [*bought, *sold])
    return community


def _buy(story: Story, peer: Household, other: Household) -> list[str]:
    story.step("Buy Energy: the other peer's offers; two are bought.")
    posts = [offer(story, other, LISTING, wanted) for wanted, _ in BUY_TABLE]
    bought = [post for post, (_, taken) in zip(posts, BUY_TABLE, strict=True) if taken]
    for post in bought:
        peer.client.submit(BUY, post)
    expected = [wanted.labelled("Purchased" if taken else "Buy") for wanted, taken in BUY_TABLE]
    rows = labels(peer, LISTING, "offer")
    story.figure("buy table", sorted(rows), sorted(expected))
    own = [label for _, _, label in labels(other, LISTING, "offer")]
    story.figure("the owner sees", sorted(own), ["Delete", "Delete", "Purchased", "Purchased"])
    return bought


def _sell(story: Story, peer: Household, other: Household) -> list[str]:
    story.step("Sell Energy: what the other peer demands, its money locked with each request.")
    sold = []
    for wanted, label in SELL_TABLE:
        post = request(story, other, LISTING, wanted)
        if label != "Request to Sell":
            peer.client.submit(SELL, post, peer.res_id)
        if label == "Sold":
            other.client.submit(ACCEPT, post)
            sold.append(post)
    expected = [wanted.labelled(label) for wanted, label in SELL_TABLE]
    story.figure("sell table", sorted(labels(peer, LISTING, "request")), sorted(expected))
    return sold


def _delete(story: Story, peer: Household, stranger: Household, purchased: str) -> None:
    story.step("An own open offer can be deleted, a purchased one not, another's never.")
    post = offer(story, stranger, LISTING, lot("1", "1"))
    attempt(story, "NOT_YOURS", peer.client, "marketplace:delete", post)
    stranger.client.submit("marketplace:delete", post)
    attempt(story, "POST_CLOSED", peer.client, BUY, post)
    attempt(story, "ALREADY_PURCHASED", stranger.client, BUY, purchased)


def _deliver(
    story: Story, community: Community, peer: Household, other: Household, dealt: list[str]
) -> None:
    story.step("Delivery: 5 Wh bought, 15 Wh sold, measured at both connections; payment follows.")
    flows = {peer.idgrid: (5, 15), other.idgrid: (15, 5)}
    community.deliver(flows)
    paid_by = dict.fromkeys((peer.idgrid, other.idgrid), 0)
    for post in dealt:
        settled = community.oracle.submit("marketplace:settle", post)
        paid_by[settled["buyer_idgrid"]] += settled["paid_utoken"]
    story.figure("bought for", paid_by[peer.idgrid] // 10**9, 6, "ETH")
    story.figure("sold for", paid_by[other.idgrid] // 10**9, 14, "ETH")
    story.figure("the peer's account", ether(community, peer), str(100 - 6 + 14), "ETH")
    open_requests = 6 + 10 + 3 + 8
    left = str(100 + 6 - 14 - open_requests)
    story.figure("the other's account, open requests locked", ether(community, other), left, "ETH")
    locked = community.account(other)["locked_utoken"]
    story.figure("locked", locked, open_requests * 10**9, "gwei")
    story.figure("money too much or too little", community.audit()["difference_utoken"], 0)
