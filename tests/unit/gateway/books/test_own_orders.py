"""A household's own orders, also those that came to nothing after another took their place."""

from datetime import timedelta

from gateway.books.order_progress import OrderState
from gateway.books.own_orders import OwnOrders
from ledger.model.codes import ValidationCode
from tests.e2e.browser.village import village
from tests.unit.energy.community import FLOOR, LISTING, Community, Household, hour_of
from tests.unit.gateway.readmodel_blocks import HOME, HOUR, Ledger, a_listing

PRICES = (FLOOR + 1_000, FLOOR + 2_000)


def test_an_order_that_took_anothers_place_is_shown_after_it_was_taken_back_too() -> None:
    with village() as it:
        homes = [it.act(lambda community: community.join()) for _ in range(2)]

        def play(community: Community) -> list[str]:
            community.ledger.at(hour_of(LISTING) - timedelta(minutes=11))
            community.open(LISTING)
            return [changed_and_taken_back(community, home) for home in homes]

        placed = it.act(play)
        listing = it.services.market.listing(LISTING)
        for home, side, order_id in zip(homes, ("offer", "bid"), placed, strict=True):
            (last, first) = OwnOrders(it.services.readmodel, home.idgrid).of_listings([listing])
            assert [one.state for one in (first, last)] == [OrderState.CANCELLED] * 2
            assert [one.side for one in (first, last)] == [side] * 2
            assert (first.order_id, first.energy_wh) == (order_id, 500)
            assert (last.energy_wh, last.price_utoken_per_kwh) == (700, PRICES[1])


def changed_and_taken_back(community: Community, home: Household) -> str:
    """The first household of the village offers, the second bids; returns the first order."""
    is_seller = home is community.households[-2]
    place = community.offer if is_seller else community.bid
    first = place(home, 500, PRICES[0])["order_id"]
    second = home.client.submit("orders:replace", LISTING, first, 700, PRICES[1])["order_id"]
    home.client.submit("orders:cancel", LISTING, second)
    return first


UNREADABLE = "9" * 5_000


def test_amounts_that_no_contract_takes_hide_no_other_order() -> None:
    """Who sends a transaction without endorsements writes into it what it likes."""
    ledger = Ledger()
    ledger.block(("market:open_listing", a_listing()))
    ledger.double.code = ValidationCode.ENDORSEMENT_POLICY_FAILURE
    for amounts in (("5", "60000"), (UNREADABLE, "5"), ("5", UNREADABLE)):
        ledger.block(("market:place_bid", {}), args=(HOUR, *amounts))
    ledger.catch_up()
    (shown,) = OwnOrders(ledger.readmodel, HOME).page(limit=50).items
    assert (shown.state, shown.energy_wh) == (OrderState.INVALID, 5)
    assert shown.price_utoken_per_kwh == 60_000
