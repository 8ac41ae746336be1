"""A sealed auction: amounts and prices are hidden from every member until the gate has closed.

Each home commits to its order with a hash and the same deposit; after the gate it opens the order.
Who looks at the ledger before finds nothing to profit from; who hides an order loses the deposit's
forfeit.
"""

import hashlib
import json
from typing import Any

from chaincode.energy.market.placing import Wish
from chaincode.energy.market.sealed_opening import commitment
from chaincode.shim.testing import Simulation
from tests.scenarios.market.narration import Story
from tests.scenarios.market.stage import attempt
from tests.unit.energy.community import CAP, FLOOR, LISTING, Community, Household

DEPOSIT = 10 * CAP
FORFEIT = 10 * (CAP - FLOOR)
"""What a hidden order costs: the most it could have gained, 10 kWh times cap less floor."""
OFFER = (3_000, 31_313)
BIDS = ((3_000, 61_007), (3_000, 50_021))
"""(Wh, micro-tokens per kWh)."""


def run(story: Story) -> Community:
    """Tell the auction; `Differs` if a figure is not the expected one."""
    community = Community.found()
    seller = community.join(tokens=DEPOSIT)
    buyers = [community.join(role="consumer", tokens=DEPOSIT) for _ in range(3)]
    story.step("One producer and three consumers; the community has switched on sealed orders.")
    community.open(is_sealed=True)
    plain = (buyers[0].client, "market:place_bid", LISTING, 1_000, 60_000)
    attempt(story, "SEALED_ONLY", *plain)
    placed = _commit(story, community, seller, buyers)
    _look(story, community, placed)
    _reveal(story, community, placed)
    _settle(story, community, seller, buyers)
    return community


def _commit(
    story: Story, community: Community, seller: Household, buyers: list[Household]
) -> list[tuple[Household, str, dict[str, Any]]]:
    story.step("Everybody commits to an order; on the ledger all commitments look alike.")
    openings = [(seller, _opening(seller, "offer", *OFFER))]
    wishes = (*BIDS, (9_000, 90_901))
    openings += [
        (home, _opening(home, "bid", *wish)) for home, wish in zip(buyers, wishes, strict=True)
    ]
    placed, shapes = [], set()
    for home, opening in openings:
        made = home.client.simulate("sealed:commit", LISTING, _hash(home, opening))
        shapes.add(_shape(made))
        community.ledger.commit_valid(made)
        placed.append((home, str(made.result["order_id"]), opening))
    story.figure("different kinds of commitment", len(shapes), 1)
    locked = {community.account(home)["locked_utoken"] for home, _, _ in placed}
    story.figure("locked by each, whatever it ordered", locked, {DEPOSIT}, "micro-tokens")
    return placed


def _shape(made: Simulation) -> tuple[str, ...]:
    return tuple(sorted(key.partition("~")[0] for key in made.writes))


def _opening(home: Household, side: str, energy_wh: int, price: int) -> dict[str, Any]:
    return {
        "side": side,
        "energy_wh": energy_wh,
        "price_utoken_per_kwh": price,
        "res_id": home.res_id if side == "offer" else "",
        "preferred": [],
        "salt": hashlib.sha256(home.idgrid.encode()).hexdigest(),
    }


def _hash(home: Household, opening: dict[str, Any]) -> str:
    values = {name: opening[name] for name in opening if name not in ("salt", "preferred")}
    wish = Wish(listing_id=LISTING, preferred=(), **values)
    return commitment(idgrid=home.idgrid, wish=wish, salt=opening["salt"])


def _look(
    story: Story, community: Community, placed: list[tuple[Household, str, dict[str, Any]]]
) -> None:
    story.step("A curious member reads everything there is before the gate closes.")
    book = community.manager.evaluate("market:get_book", LISTING)
    story.figure("orders in the book", book["offer_count"] + book["bid_count"], 0)
    found = community.ledger.keys()
    world = b" ".join(community.ledger.state(key) or b"" for key in found).decode()
    prices = [str(opening["price_utoken_per_kwh"]) for _, _, opening in placed]
    story.figure("prices found", [price for price in prices if price in world], [])
    home, order_id, opening = placed[0]
    early = (home.client, "sealed:reveal", LISTING, home.idgrid, order_id, opening)
    attempt(story, "TOO_EARLY", *early)


def _reveal(
    story: Story, community: Community, placed: list[tuple[Household, str, dict[str, Any]]]
) -> None:
    story.step("The gate has closed; all but one open their orders, a changed one does not fit.")
    community.ledger.at("2026-01-15T09:58:00Z")
    closed = community.scheduler.submit("market:close_bidding", LISTING)
    story.figure("state", closed["state"], "REVEALING")
    home, order_id, opening = placed[1]
    changed = json.loads(json.dumps(opening)) | {"price_utoken_per_kwh": 70_707}
    other = (home.client, "sealed:reveal", LISTING, home.idgrid, order_id, changed)
    attempt(story, "BAD_OPENING", *other)
    for one, number, content in placed[:3]:
        one.client.submit("sealed:reveal", LISTING, one.idgrid, number, content)
    community.ledger.at("2026-01-15T09:59:00Z")
    community.scheduler.submit("market:close_bidding", LISTING)
    community.scheduler.submit("sealed:void", LISTING)
    hidden = placed[3][0]
    lost = DEPOSIT - community.account(hidden)["free_utoken"]
    story.figure("lost by who kept hidden", lost, FORFEIT, "micro-tokens")


def _settle(
    story: Story, community: Community, seller: Household, buyers: list[Household]
) -> None:
    story.step("Clearing as always, by the places of the commitments.")
    result = community.scheduler.submit("market:clear", LISTING)
    story.figure("matched", result["quantity_wh"], 3_000, "Wh")
    story.figure("price", result["price_utoken_per_kwh"], 61_007, "micro-token/kWh")
    community.deliver({seller.idgrid: (0, 3_000), buyers[0].idgrid: (3_000, 0)})
    settled = community.settle()
    story.figure("paid", settled["total_utoken"], 183_021, "micro-tokens")
    story.figure("tokens too many or too few", community.audit()["difference_utoken"], 0)
