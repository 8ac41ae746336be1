"""The listing that takes orders (else the latest one), with both curves and every order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chaincode.energy.market.records import Listing
from gateway.books.market import PlacedOrder
from gateway.services import Services
from gateway.web.curves import Clearing, Step, curves_svg
from gateway.web.languages import N_, Language
from gateway.web.state_texts import TAKING_ORDERS, listing_state, opens_later


@dataclass(frozen=True, slots=True)
class ListingPanel:
    """One listing as the market page shows it."""

    listing: Listing
    state_text: str
    offers: Sequence[PlacedOrder]
    bids: Sequence[PlacedOrder]
    clearing: Clearing | None
    curves: str
    own_order_ids: frozenset[str]
    now_ms: int

    @property
    def is_open(self) -> bool:
        """Whether orders can be placed."""
        return self.listing.state == TAKING_ORDERS and not self.opens_later

    @property
    def opens_later(self) -> bool:
        """Whether it is announced, and refuses orders until it opens."""
        return opens_later(self.listing, self.now_ms)

    @property
    def offered_wh(self) -> int:
        """Energy of all offers."""
        return sum(item.order.energy_wh for item in self.offers)

    @property
    def wanted_wh(self) -> int:
        """Energy of all bids."""
        return sum(item.order.energy_wh for item in self.bids)

    @property
    def best_offer(self) -> int | None:
        """The lowest reserve price that counts: never under the feed-in tariff."""
        prices = [item.order.price_utoken_per_kwh for item in self.offers[:1]]
        return max(prices[0], self.listing.floor_utoken_per_kwh) if prices else None

    @property
    def best_bid(self) -> int | None:
        """The highest limit that counts: never above the retail price."""
        prices = [item.order.price_utoken_per_kwh for item in self.bids[:1]]
        return min(prices[0], self.listing.cap_utoken_per_kwh) if prices else None


def listing_panel(
    services: Services, words: Language, *, viewer_idgrid: str | None
) -> ListingPanel | None:
    """The panel; None before the first listing."""
    market = services.market
    listing = market.current_listing()
    if listing is None:
        return None
    placed = market.orders(listing.listing_id)
    offers = sorted(
        (item for item in placed if item.order.side == "offer"),
        key=lambda item: item.order.price_utoken_per_kwh,
    )
    bids = sorted(
        (item for item in placed if item.order.side == "bid"),
        key=lambda item: -item.order.price_utoken_per_kwh,
    )
    clearing = clearing_of(market.result(listing.listing_id))
    label = words.hour(listing.listing_id, services.local_time)
    now_ms = services.clock_ms()
    return ListingPanel(
        listing=listing,
        state_text=words.text(listing_state(listing, now_ms)),
        offers=offers,
        bids=bids,
        clearing=clearing,
        curves=curves_svg(
            offers=_steps(offers),
            bids=_steps(bids),
            clearing=clearing,
            title=words.text(N_("Supply and demand for {hour}")).format(hour=label),
            words=words,
        ),
        own_order_ids=frozenset(
            item.order.order_id
            for item in placed
            if viewer_idgrid and item.order.idgrid == viewer_idgrid
        ),
        now_ms=now_ms,
    )


def clearing_of(result: dict[str, Any] | None) -> Clearing | None:
    """Price and quantity of a result; None where nothing traded."""
    if result is None or result.get("price_utoken_per_kwh") is None:
        return None
    return Clearing(price=result["price_utoken_per_kwh"], quantity_wh=result["quantity_wh"])


def _steps(orders: Sequence[PlacedOrder]) -> list[Step]:
    return [Step(item.order.price_utoken_per_kwh, item.order.energy_wh) for item in orders]
