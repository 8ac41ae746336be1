"""A listing with known matches, ready to settle."""

from typing import Any

from chaincode.shim.testing import TestClient
from tests.unit.energy.community import CAP, DSO, FLOOR, LISTING, Community, Household

PRICE = 54_000


def one_trade(
    *, scale: int = 1, tokens: int = 10**6, **parameters: Any
) -> tuple[Community, Household, Household]:
    """10 kWh matched at 54,000 per kWh: seller asks 40,000, buyer bids 54,000, k = 1."""
    community = Community.found()
    seller = community.join(tokens=0)
    buyer = community.join(role="consumer", tokens=tokens * scale)
    prices = {"floor_utoken_per_kwh": FLOOR * scale, "cap_utoken_per_kwh": CAP * scale}
    community.open(**(prices | parameters))
    community.offer(seller, 10_000, 40_000 * scale)
    community.bid(buyer, 10_000, PRICE * scale)
    community.close_and_clear()
    return community, seller, buyer


def settled_trade(
    delivered_wh: int = 8000, received_wh: int = 8000, **parameters: Any
) -> tuple[Community, Household, Household]:
    """`one_trade`, delivered and settled."""
    community, seller, buyer = one_trade(**parameters)
    community.deliver({seller.idgrid: (0, delivered_wh), buyer.idgrid: (received_wh, 0)})
    community.settle()
    return community, seller, buyer


def listing_state(community: Community) -> str:
    """State of the listing."""
    state: str = community.manager.evaluate("market:get_listing", LISTING)["state"]
    return state


def line(community: Community, home: Household) -> dict[str, Any]:
    """The household's line as it was first settled."""
    found: dict[str, Any] = community.manager.evaluate("market:get_line", LISTING, home.idgrid)
    return found


def corrections(community: Community, home: Household) -> list[dict[str, Any]]:
    """What corrections added to it."""
    found: list[dict[str, Any]] = community.manager.evaluate(
        "settlement:get_corrections", LISTING, home.idgrid
    )
    return found


def operator(community: Community) -> TestClient:
    """A grid operator of the DSO."""
    return community.ledger.client(DSO, "operator", attributes={"role": "operator"})


def substitute(
    community: Community, home: Household, *, imported_wh: int = 0, exported_wh: int = 0
) -> None:
    """The grid operator states what the household's meter should have said."""
    community.dso.submit(
        "settlement:substitute", LISTING, home.idgrid, imported_wh, exported_wh, "read on site"
    )
